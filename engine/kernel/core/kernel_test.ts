import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "./kernel_fixture.ts";

/** A guest with per-CPU areas; each CPU's holds its own offset. */
function guestWith(cpus: number): { guest: FixtureGuest; table: bigint } {
  const guest = new FixtureGuest(fixtureTypes({}));
  const table = guest.image();
  const own = guest.image(1);
  guest.symbol("__per_cpu_offset", table);
  guest.symbol("this_cpu_off", own);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const area = guest.allocate(64);
    const offset = BigInt.asUintN(64, area - own);
    guest.setU64(table + BigInt(8 * cpu), offset);
    guest.setU64(area, offset);
  }
  return { guest, table };
}

Deno.test("each CPU's variables are at the offset that it uses itself", () => {
  const { guest } = guestWith(2);
  const { kernel } = guest;
  assert.equal(kernel.perCpuOffsets.length, 2);
  assert.equal(
    kernel.space.u64(kernel.perCpu("this_cpu_off", 1)),
    kernel.perCpuOffsets[1],
  );
});

Deno.test("another CPU's area is not read in a CPU's place", () => {
  const { guest, table } = guestWith(2);
  guest.setU64(table, guest.space.u64(table + 8n));
  assert.throws(() => guest.kernel.perCpuOffsets, KernelError);
  const copied = guestWith(1);
  const offset = copied.guest.space.u64(copied.table);
  copied.guest.allocate(128);
  copied.guest.setU64(copied.table, offset + 64n);
  assert.throws(
    () => copied.guest.kernel.perCpuOffsets,
    /not what CPU 0 itself uses/,
  );
});
