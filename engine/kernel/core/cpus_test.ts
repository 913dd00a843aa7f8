import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "./kernel_fixture.ts";

/** A guest with two CPUs, and other words on how many it has. */
function guest(ids: number, possible: bigint, areas = 2) {
  const it = new FixtureGuest(fixtureTypes({}));
  const page = it.image();
  const symbols = [
    "nr_cpu_ids",
    "__cpu_possible_mask",
    "__cpu_online_mask",
    "__per_cpu_offset",
  ];
  symbols.forEach((name, i) => it.symbol(name, page + BigInt(64 * i)));
  it.setU32(page, ids);
  it.setU64(page + 64n, possible);
  for (let cpu = 0; cpu < areas; cpu++) {
    it.setU64(page + 192n + BigInt(8 * cpu), 0x1000n * BigInt(cpu + 1));
  }
  return it.kernel;
}

Deno.test("no mask hides a CPU: those that have a per-CPU area are read", () => {
  // None of them is online, if one believes the mask.
  assert.deepEqual(guest(2, 3n).cpus, [0, 1]);
});

Deno.test("words that disagree on the number of CPUs are no number", () => {
  assert.throws(() => guest(1, 3n).cpus, /2 CPUs, but nr_cpu_ids says 1/);
  assert.throws(() => guest(2, 1n).cpus, /__cpu_possible_mask says 1/);
  assert.throws(() => guest(2, 3n, 1).cpus, /1 CPUs, but nr_cpu_ids says 2/);
});
