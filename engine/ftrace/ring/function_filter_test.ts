import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { fixtureTypes } from "../../kernel/core/kernel_fixture.ts";
import { FIXTURE_TEXT } from "../../kernel/symbols/symbols_fixture.ts";
import { HASH_STRUCTS, HashGuest } from "../graph/graph_hash_fixture.ts";
import { readFunctionFilter } from "./function_filter.ts";
import { TraceArray } from "./trace_array.ts";

const TYPES = fixtureTypes({
  ...HASH_STRUCTS,
  trace_array: { size: 64, members: { ops: [8, "u64"] } },
  ftrace_ops: { size: 64, members: { func_hash: [16, "u64"] } },
  ftrace_ops_hash: { size: 64, members: { filter_hash: [24, "u64"] } },
});

/** `schedule` of the fixture's kernel, and an address in no function. */
const SCHEDULE = FIXTURE_TEXT + 0x100n;
const NOWHERE = 0xffffffffc0001000n;

/** A guest whose filter has these functions, and its reader. */
function setting(ips: readonly bigint[], bits = 2) {
  const guest = new HashGuest(ips, bits, TYPES);
  const object = guest.create("trace_array");
  const ops = guest.create("ftrace_ops");
  const hashes = guest.create("ftrace_ops_hash");
  guest.setU64(guest.at("trace_array", object, "ops"), ops);
  guest.setU64(guest.at("ftrace_ops", ops, "func_hash"), hashes);
  guest.setU64(
    guest.at("ftrace_ops_hash", hashes, "filter_hash"),
    guest.hash,
  );
  return {
    guest,
    object,
    hashes,
    read: () => readFunctionFilter(new TraceArray(guest.kernel, object)),
  };
}

Deno.test("the functions of a filter, by name, each once", () => {
  const { read } = setting([SCHEDULE, SCHEDULE + 4n, NOWHERE]);
  assert.deepEqual(read(), ["0xffffffffc0001000", "schedule"]);
});

Deno.test("many functions in few buckets", () => {
  const ips = Array.from({ length: 40 }, (_, i) => NOWHERE + BigInt(16 * i));
  const { read } = setting(ips, 1);
  assert.equal(read().length, 40);
});

Deno.test("a filter that is empty or missing means all functions", () => {
  assert.deepEqual(setting([]).read(), []);
  const { guest, object, hashes, read } = setting([SCHEDULE]);
  guest.setU64(guest.at("ftrace_ops_hash", hashes, "filter_hash"), 0n);
  assert.deepEqual(read(), []);
  guest.setU64(guest.at("trace_array", object, "ops"), 0n);
  assert.deepEqual(read(), []);
});

Deno.test("sizes that no filter has are refused", () => {
  for (
    const [offset, value] of [[0, 25n], [0, 1n << 40n], [16, 65537n]] as const
  ) {
    const { guest, read } = setting([SCHEDULE]);
    guest.setU64(guest.hash + BigInt(offset), value);
    assert.throws(read, (error) => {
      assert.ok(error instanceof KernelError);
      assert.match(error.message, /damaged or in flux/);
      return true;
    });
  }
});

Deno.test("a bucket that leads back to itself does not hold the host up", () => {
  const { guest, read } = setting([SCHEDULE], 0);
  const entry = guest.u64(guest.buckets);
  guest.setU64(entry, entry);
  assert.throws(read, /more functions than it counts/);
});
