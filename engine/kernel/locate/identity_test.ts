import assert from "node:assert/strict";
import { patch, RECORDED, recordedGuest } from "./recorded_guest_fixture.ts";
import { parseVmcoreinfo } from "./vmcoreinfo.ts";

for (const kernel of RECORDED) {
  Deno.test(`${kernel}: a kernel is recognized as the one that was opened, and as another`, () => {
    const guest = recordedGuest(kernel);
    const opened = guest.describe();
    const { origin, space, symbols } = opened;
    assert.ok(origin);
    assert.equal(origin.changed(), undefined);
    assert.equal(origin.tables().count, symbols.count);

    const swap = (gva: bigint, bytes: Uint8Array, message: RegExp) => {
      const before = space.bytes(gva, bytes.length).slice();
      patch(opened, gva, bytes);
      assert.match(origin.changed() ?? "", message);
      patch(opened, gva, before);
      assert.equal(origin.changed(), undefined);
    };
    const banner = symbols.address("linux_banner");
    swap(banner + 14n, Uint8Array.of(0x39), /^its banner is another/);
    const note = parseVmcoreinfo(guest.note);
    const at = (table: string) => note?.symbol(`kallsyms_${table}`) ?? 0n;
    // One letter of one name, one bit of one address.
    swap(at("names") + 5000n, Uint8Array.of(0x7a), /^its symbols are others/);
    const [low] = space.bytes(at("offsets") + 4000n, 1);
    const bit = Uint8Array.of(low ^ 16);
    swap(at("offsets") + 4000n, bit, /^its symbols are others/);
    // It was loaded elsewhere: with other page tables, or at another address.
    const base = space.bytes(at("relative_base"), 8).slice();
    base[3] ^= 1;
    swap(at("relative_base"), base, /^its symbols are others/);
    const root = space.tables.root;
    guest.memory.write(root, new Uint8Array(4096));
    assert.match(origin.changed() ?? "", /^its page tables no longer map it/);
  });
}
