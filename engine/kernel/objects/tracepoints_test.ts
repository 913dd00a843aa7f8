import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import {
  moduleTracepoints,
  tracepointProbes,
  tracepoints,
} from "./tracepoints.ts";

const TYPES = fixtureTypes({
  tracepoint: { size: 64, members: { name: [0, "u64"], funcs: [56, "u64"] } },
  tracepoint_func: {
    size: 24,
    members: { func: [0, "u64"], data: [8, "u64"], prio: [16, "u32"] },
  },
  module: {
    size: 64,
    members: { num_tracepoints: [0, "u32"], tracepoints_ptrs: [8, "u64"] },
  },
});

/** A guest with a tracepoint that has this many functions. */
function pointWith(functions: number) {
  const guest = new FixtureGuest(TYPES);
  const point = guest.create("tracepoint");
  guest.setU64(point, guest.text("sys_enter"));
  const array = guest.allocate((functions + 1) * 24);
  for (let i = 0; i < functions; i++) {
    guest.setU64(array + BigInt(i * 24), 0x1000n + BigInt(i));
  }
  guest.setU64(guest.at("tracepoint", point, "funcs"), array);
  return { guest, point, array };
}

Deno.test("the functions on a tracepoint are read up to the end of their array", () => {
  const { guest, point, array } = pointWith(2);
  const idle = guest.create("tracepoint");
  guest.setU64(idle, guest.text("idle"));
  assert.deepEqual(tracepointProbes(guest.kernel, [idle, point]), [
    { point, tracepoint: "sys_enter", gva: array, func: 0x1000n },
    { point, tracepoint: "sys_enter", gva: array + 24n, func: 0x1001n },
  ]);
});

Deno.test("a function behind very many others is not passed over in silence", () => {
  const { guest, point } = pointWith(1024);
  assert.equal(tracepointProbes(guest.kernel, [point]).length, 1024);
  const more = pointWith(1025);
  assert.throws(
    () => tracepointProbes(more.guest.kernel, [more.point]),
    (error) =>
      error instanceof KernelError &&
      /tracepoint sys_enter do not end within 1024$/.test(error.message),
  );
});

Deno.test("a table that names something else is damaged", () => {
  const { guest } = pointWith(0);
  const none = guest.create("tracepoint");
  assert.throws(
    () => tracepointProbes(guest.kernel, [none]),
    /the table of tracepoints names 0x\w+, which is none/,
  );
});

Deno.test("tracepoints lie at distances from the places that name them", () => {
  const guest = new FixtureGuest(TYPES);
  const page = guest.image();
  guest.symbol("__start___tracepoints_ptrs", page + 16n);
  guest.symbol("__stop___tracepoints_ptrs", page + 24n);
  guest.setU32(page + 16n, 0x40);
  guest.setU32(page + 20n, -20);
  assert.deepEqual(tracepoints(guest.kernel), [page + 0x50n, page]);
  const bare = new FixtureGuest(TYPES);
  assert.deepEqual(tracepoints(bare.kernel), []);
});

Deno.test("a module that claims too many tracepoints is refused", () => {
  const guest = new FixtureGuest(TYPES);
  const module = guest.create("module");
  assert.deepEqual(moduleTracepoints(guest.kernel, module), []);
  const table = guest.allocate(8);
  guest.setU64(module + 8n, table);
  guest.setU32(table, 0x100);
  guest.setU32(module, 1);
  assert.deepEqual(moduleTracepoints(guest.kernel, module), [table + 0x100n]);
  for (const count of [65536, 0xffffffff]) {
    guest.setU32(module, count);
    assert.throws(
      () => moduleTracepoints(guest.kernel, module),
      new RegExp(`the module claims ${count} tracepoints`),
    );
  }
});
