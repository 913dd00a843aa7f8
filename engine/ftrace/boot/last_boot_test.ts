import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { lastBoot } from "./last_boot.ts";
import { TraceArray } from "../ring/trace_array.ts";

type Structs = Parameters<typeof fixtureTypes>[0];
type Members = Structs[string]["members"];

const STRUCTS: Structs = {
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  trace_scratch: {
    size: 16,
    members: { nr_entries: [8, "u64"], entries: [16, "u64"] },
  },
  trace_module_delta: { size: 16, members: { delta: [16, "u64"] } },
};
const RANGE: Members = { range_addr_start: [40, "u64"] };
const DELTA: Members = { ...RANGE, text_delta: [48, "u64"] };

/** An instance of a kernel whose struct trace_array has these members too. */
function instance(
  members: Members,
  enumerators: readonly (readonly [string, number])[] = [],
) {
  const structs: Structs = {
    ...STRUCTS,
    trace_array: {
      size: 128,
      members: { list: [0, "list_head"], name: [16, "u64"], ...members },
    },
  };
  const guest = new FixtureGuest(fixtureTypes(structs, enumerators));
  const gva = guest.create("trace_array");
  const array = new TraceArray(guest.kernel, gva);
  return { guest, array };
}

Deno.test("a kernel without memory that outlives a restart has no boot before", () => {
  assert.equal(lastBoot(instance({}).array), undefined);
});

Deno.test("a kernel that keeps the displacement elsewhere is refused by name", () => {
  assert.throws(
    () => lastBoot(instance(RANGE).array),
    /struct trace_array has no text_delta$/,
  );
});

Deno.test("addresses move by as much as the kernel has moved, up or down", () => {
  const { guest, array } = instance(DELTA);
  assert.equal(lastBoot(array), undefined);
  guest.setU64(array.object.at("text_delta"), 0x1000n);
  assert.equal(lastBoot(array)?.adjust(0x5000n), 0x6000n);
  guest.setU64(array.object.at("text_delta"), BigInt.asUintN(64, -0x1000n));
  assert.equal(lastBoot(array)?.textDelta, -0x1000n);
  assert.equal(lastBoot(array)?.adjust(0x5000n), 0x4000n);
  assert.equal(lastBoot(array)?.modules, undefined);
});

const MODULES: Members = {
  ...DELTA,
  module_delta: [56, "u64"],
  scratch: [64, "u64"],
  flags: [72, "u32"],
};

Deno.test("whether events are of the boot before is asked, and not guessed", () => {
  const { array } = instance(MODULES);
  assert.throws(() => lastBoot(array), /no TRACE_ARRAY_FL_LAST_BOOT$/);
});

Deno.test("a region that names more modules than there can be is refused", () => {
  const { guest, array } = instance(MODULES, [["TRACE_ARRAY_FL_LAST_BOOT", 8]]);
  const scratch = guest.create("trace_scratch");
  guest.setU64(array.object.at("scratch"), scratch);
  guest.setU64(
    array.object.at("module_delta"),
    guest.create("trace_module_delta"),
  );
  guest.setU64(guest.at("trace_scratch", scratch, "nr_entries"), 1n << 40n);
  assert.equal(lastBoot(array), undefined);
  guest.setU64(array.object.at("flags"), 8n);
  assert.throws(() => lastBoot(array), /names 1099511627776 modules/);
});
