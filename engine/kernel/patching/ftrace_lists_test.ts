import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { ftraceOps, graphHandlers } from "./ftrace_ops.ts";

const TYPES = fixtureTypes({
  ftrace_ops: {
    size: 32,
    members: { next: [0, "u64"], func: [8, "u64"], flags: [16, "u64"] },
  },
});
const STUB = 0xffffffff81000100n;
const HANDLER = 0xffffffffc0100000n;

/** A guest on whose list one `ftrace_ops` is, without the symbols named. */
function listening(...hidden: string[]) {
  const guest = new FixtureGuest(TYPES);
  const page = guest.image();
  const end = page + 64n;
  const symbols = {
    ftrace_ops_list: page,
    ftrace_list_end: end,
    ftrace_stub: STUB,
    register_ftrace_function: STUB + 16n,
  };
  for (const [name, gva] of Object.entries(symbols)) {
    if (!hidden.includes(name)) guest.symbol(name, gva);
  }
  const ops = guest.create("ftrace_ops");
  guest.setU64(page, ops);
  guest.setU64(ops, end);
  guest.setU64(ops + 8n, HANDLER);
  guest.setU64(end + 8n, STUB);
  return { guest, ops, end };
}

Deno.test("a list of ftrace_ops ends where the kernel's own stub is", () => {
  const { guest, ops } = listening();
  assert.deepEqual(ftraceOps(guest.kernel).map(({ gva }) => gva), [ops]);
});

Deno.test("a list without a symbol is not empty, unless nothing is there of Ftrace", () => {
  for (const name of ["ftrace_ops_list", "ftrace_list_end"]) {
    const { guest } = listening(name);
    assert.throws(() => ftraceOps(guest.kernel), new RegExp(`no ${name}`));
  }
  assert.deepEqual(ftraceOps(new FixtureGuest(TYPES).kernel), []);
});

Deno.test("an end of the list that would be called is none", () => {
  const { guest, end } = listening();
  guest.setU64(end + 8n, HANDLER);
  assert.throws(() => ftraceOps(guest.kernel), /not the end of a list/);
  const more = listening();
  more.guest.setU64(more.end, more.ops);
  assert.throws(() => ftraceOps(more.guest.kernel), /not the end of a list/);
});

Deno.test("an array of graph tracers that lost its name, or its size, is unjudged", () => {
  const renamed = new FixtureGuest(TYPES);
  renamed.symbol("fgraph_lru_table", renamed.image());
  assert.throws(() => graphHandlers(renamed.kernel), /no fgraph_array/);
  const short = new FixtureGuest(TYPES);
  const page = short.image();
  short.symbol("fgraph_array", page);
  short.symbol("next_variable", page + 8n);
  assert.throws(() => graphHandlers(short.kernel), /takes \d bytes only/);
});
