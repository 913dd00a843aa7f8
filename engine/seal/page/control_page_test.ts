import assert from "node:assert/strict";
import { KernelError, XftraceError } from "../../base/errors.ts";
import { CONTROL, CPU, PAGE_MAGIC } from "./abi.ts";
import { ControlPage, ringPages } from "./control_page.ts";
import { ModuleGuest } from "./module_fixture.ts";

Deno.test("the page of a loaded module is found, together with its rings", () => {
  const guest = new ModuleGuest({ cpus: 3, entries: 128 });
  const page = ControlPage.find(guest.kernel);
  assert.equal(page?.gva, guest.control);
  assert.deepEqual(page.cpus.map(({ cpu, entries }) => [cpu, entries]), [
    [0, 128],
    [1, 128],
    [2, 128],
  ]);
  assert.deepEqual(
    [...page.cpus[1].pages],
    [0, 4096].map((at) => guest.fixture.gpa(guest.cpus[1].ring) + at),
  );
  assert.equal(page.alive, true);
  assert.deepEqual(page.foreignPages(), { pages: [], more: false });
});

Deno.test("CPUs that can never come up have no ring", () => {
  const guest = new ModuleGuest({ cpus: 3 });
  guest.setCpu64(1, CPU.ring, 0);
  const page = ControlPage.find(guest.kernel);
  assert.deepEqual(page?.cpus.map(({ cpu }) => cpu), [0, 2]);
});

Deno.test("without the module, or while it is loading, there is no page", () => {
  const guest = new ModuleGuest();
  guest.set64(CONTROL.magic, 0);
  assert.equal(ControlPage.find(guest.kernel), undefined);
  guest.modules.splice(0);
  assert.equal(ControlPage.find(guest.kernel), undefined);
});

for (
  const [what, change, message] of [
    [
      "a copy of the page",
      (guest) => guest.set64(CONTROL.self, guest.text),
      /not its own: it says that it lies at/,
    ],
    [
      "another version",
      (guest) => guest.set32(CONTROL.abi_version, 2),
      /speaks version 2 and we speak/,
    ],
    [
      "other sizes",
      (guest) => guest.set32(CONTROL.entry_bytes, 32),
      /build and load it again/,
    ],
    [
      "a handler elsewhere",
      (guest) => guest.set64(CONTROL.return_handler, guest.control),
      /a handler lies outside of the module's code/,
    ],
    [
      "too many CPUs",
      (guest) => guest.set32(CONTROL.cpu_count, 9000),
      /it claims 9000 CPUs/,
    ],
    [
      "CPUs anywhere",
      (guest) => guest.set64(CONTROL.cpus, guest.get64(CONTROL.cpus) + 8n),
      /its CPUs are not aligned/,
    ],
    [
      "a ring in the middle of a page",
      (guest) => guest.setCpu64(0, CPU.ring, guest.cpus[0].ring + 64n),
      /the ring of CPU 0 is not aligned to a page/,
    ],
    [
      "a mail area of any size",
      (guest) => guest.set32(CONTROL.mail_bytes, 0xffffffff),
      /claims a mail area of 4294967295 bytes/,
    ],
    [
      "a ring of any size",
      (guest) => guest.setCpu64(0, CPU.ring_entries, 100),
      /CPU 0 claims a ring of 100 entries/,
    ],
  ] as readonly [string, (guest: ModuleGuest) => void, RegExp][]
) {
  Deno.test(`a page that does not belong to the module is refused: ${what}`, () => {
    const guest = new ModuleGuest();
    change(guest);
    assert.throws(() => ControlPage.find(guest.kernel), (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("other pages that look like the control page", () => {
  const guest = new ModuleGuest();
  const page = ControlPage.find(guest.kernel);
  const copy = guest.fixture.allocate(4096, 4096);
  guest.fixture.setU64(copy, PAGE_MAGIC);
  // The magic number alone can be any eight bytes.
  assert.deepEqual(page?.foreignPages(), { pages: [], more: false });
  guest.fixture.setU32(copy + BigInt(CONTROL.control_bytes), CONTROL.bytes);
  assert.deepEqual(page?.foreignPages(), {
    pages: [{ gpa: guest.fixture.gpa(copy), own: false, mapped: false }],
    more: false,
  });
  guest.fixture.setU64(copy + BigInt(CONTROL.self), copy);
  assert.equal(page?.foreignPages().pages[0].mapped, true);
  const nonce = guest.fixture.gpa(guest.control) + CONTROL.nonce;
  guest.fixture.bytes.copyWithin(
    guest.fixture.gpa(copy) + CONTROL.nonce,
    nonce,
    nonce + 16,
  );
  assert.equal(page?.foreignPages().pages[0].own, true);
});

Deno.test("pages of 64 KiB: a ring may be smaller than a page", () => {
  const { kernel } = new ModuleGuest();
  const translate = (gva: bigint) => ({ gpa: Number(gva & 0xffffn) });
  const large = Object.create(kernel, {
    pageSize: { value: 1 << 16 },
    space: { value: { translate } },
  });
  assert.deepEqual([...ringPages(large, 0x8_0000n, 64)], [0]);
  assert.deepEqual([...ringPages(large, 0x8_0000n, 1024)], [0]);
  assert.deepEqual([...ringPages(large, 0x8_0000n, 2048)], [0, 0]);
});

Deno.test("CPUs whose rings together are larger than any module's are refused", () => {
  const guest = new ModuleGuest({ cpus: 1 });
  // All of them are the same area, which is not looked at before the sum.
  const areas = guest.fixture.allocate(80 * CPU.bytes, 4096);
  for (let cpu = 0; cpu < 80; cpu++) {
    const at = areas + BigInt(cpu * CPU.bytes);
    guest.fixture.setU64(at + BigInt(CPU.ring), guest.cpus[0].ring);
    guest.fixture.setU64(at + BigInt(CPU.ring_entries), 2n ** 26n);
  }
  guest.set64(CONTROL.cpus, areas);
  guest.set32(CONTROL.cpu_count, 80);
  const start = performance.now();
  // The first ring is not mapped as far as it claims, or the sum is refused.
  assert.throws(() => ControlPage.find(guest.kernel), XftraceError);
  assert.ok(performance.now() - start < 5000);
  for (let cpu = 0; cpu < 80; cpu++) {
    const at = areas + BigInt(cpu * CPU.bytes);
    guest.fixture.setU64(at + BigInt(CPU.ring_entries), 64);
  }
  assert.equal(ControlPage.find(guest.kernel)?.cpus.length, 80);
});

Deno.test("magic numbers all over the guest's memory are not all looked at", () => {
  const guest = new ModuleGuest();
  const page = ControlPage.find(guest.kernel);
  const many = guest.fixture.allocate(40 * 4096, 4096);
  for (let i = 0n; i < 40n * 512n; i++) {
    guest.fixture.setU64(many + i * 8n, PAGE_MAGIC);
  }
  assert.equal(page?.foreignPages().more, true);
});
