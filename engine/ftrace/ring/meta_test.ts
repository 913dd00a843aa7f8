import assert from "node:assert/strict";
import type { Types } from "../../kernel/btf/types.ts";
import { traceLayout } from "./meta.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";

/** Offsets by `struct.member`, sizes by `struct`. */
const KERNEL_6_1: Readonly<Record<string, number>> = {
  "buffer_data_page.time_stamp": 0,
  "buffer_data_page.commit": 8,
  "buffer_data_page.data": 16,
  "trace_entry.type": 0,
  "trace_entry.flags": 2,
  "trace_entry.preempt_count": 3,
  "trace_entry.pid": 4,
  "ftrace_graph_ent_entry": 20,
  "ftrace_graph_ent_entry.graph_ent.func": 8,
  "ftrace_graph_ent_entry.graph_ent.depth": 16,
  "ftrace_graph_ret_entry": 40,
  "ftrace_graph_ret_entry.ret.func": 8,
  "ftrace_graph_ret_entry.ret.depth": 16,
  "ftrace_graph_ret_entry.ret.overrun": 20,
  "ftrace_graph_ret_entry.ret.calltime": 24,
  "ftrace_graph_ret_entry.ret.rettime": 32,
  "ftrace_entry.ip": 8,
  "ftrace_entry.parent_ip": 16,
  "stack_entry.size": 8,
  "stack_entry.caller": 16,
  "userstack_entry.tgid": 8,
  "userstack_entry.caller": 16,
  "print_entry.ip": 8,
  "print_entry.buf": 16,
  "bprint_entry.ip": 8,
  "bprint_entry.fmt": 16,
  "bprint_entry.buf": 24,
  "bputs_entry.ip": 8,
  "bputs_entry.str": 16,
  "raw_data_entry.id": 8,
  "raw_data_entry.buf": 12,
  "func_repeats_entry": 32,
  "func_repeats_entry.ip": 8,
  "func_repeats_entry.parent_ip": 16,
  "func_repeats_entry.count": 24,
  "func_repeats_entry.top_delta_ts": 26,
  "func_repeats_entry.bottom_delta_ts": 28,
};
const IDS_6_1: Readonly<Record<string, number>> = {
  TRACE_FN: 1,
  TRACE_CTX: 2,
  TRACE_WAKE: 3,
  TRACE_STACK: 4,
  TRACE_PRINT: 5,
  TRACE_BPRINT: 6,
  TRACE_GRAPH_RET: 10,
  TRACE_GRAPH_ENT: 11,
  TRACE_USER_STACK: 12,
  TRACE_BPUTS: 14,
  TRACE_HWLAT: 15,
  TRACE_OSNOISE: 16,
  TRACE_TIMERLAT: 17,
  TRACE_RAW_DATA: 18,
  TRACE_FUNC_REPEATS: 19,
  __TRACE_LAST_TYPE: 20,
};

function typesOf(
  offsets: Readonly<Record<string, number>>,
  ids: Readonly<Record<string, number>>,
): Types {
  const missing = (what: string): never => {
    throw new Error(`no ${what}`);
  };
  const tryStruct = (name: string) =>
    offsets[name] === undefined
      ? undefined
      : { name, size: offsets[name], members: new Map() };
  const tryOffset = (struct: string, path: string) =>
    offsets[`${struct}.${path}`];
  return {
    count: 1,
    tryStruct,
    struct: (name) => tryStruct(name) ?? missing(name),
    tryOffset,
    offset: (struct, path) =>
      tryOffset(struct, path) ?? missing(`${struct}.${path}`),
    tryMember: () => undefined,
    tryEnumerator: (name) => ids[name],
    enumerator: (name) => ids[name] ?? missing(name),
    tryEnum: () => undefined,
    prototype: () => undefined,
    typeOf: () => missing("type"),
    tryType: () => undefined,
    nearTypes: () => [],
    tryVariable: () => undefined,
    variables: () => [],
    moduleFunctions: () => ({
      prototype: () => undefined,
      typeOf: () => ({ kind: "void", name: "void", size: 0 }),
    }),
  };
}

Deno.test("the layout of 6.1 is probed", () => {
  assert.deepEqual(traceLayout(typesOf(KERNEL_6_1, IDS_6_1)), LAYOUT_6_1);
});

Deno.test("times outside ret are used only when ret has none", () => {
  const outer = "ftrace_graph_ret_entry";
  const both = traceLayout(typesOf({
    ...KERNEL_6_1,
    [`${outer}.calltime`]: 40,
    [`${outer}.rettime`]: 48,
  }, IDS_6_1));
  assert.equal(both.graphReturn.calltime, 24);
  const {
    [`${outer}.ret.calltime`]: _,
    [`${outer}.ret.rettime`]: __,
    ...rest
  } = KERNEL_6_1;
  const moved = traceLayout(typesOf({
    ...rest,
    [`${outer}.ret.retval`]: 16,
    [`${outer}.calltime`]: 32,
    [`${outer}.rettime`]: 40,
  }, IDS_6_1));
  assert.deepEqual(
    [moved.graphReturn.calltime, moved.graphReturn.rettime],
    [32, 40],
  );
  assert.equal(moved.graphReturn.retval, 16);
  assert.equal(moved.graphReturn.size, 48);
});

Deno.test("recorded arguments and return addresses are found", () => {
  const layout = traceLayout(typesOf(
    { ...KERNEL_6_1, "ftrace_graph_ent_entry.args": 20 },
    { ...IDS_6_1, TRACE_GRAPH_RETADDR_ENT: 12, TRACE_USER_STACK: 13 },
  ));
  assert.equal(layout.graphEntry.args, 20);
  assert.equal(layout.graphEntry.retaddr, 20);
  assert.equal(layout.graphLast, 12);
  assert.equal(layout.types.userStack, 13);
});

Deno.test("an unknown trace_entry is refused", () => {
  assert.throws(
    () =>
      traceLayout(typesOf({ ...KERNEL_6_1, "trace_entry.pid": 8 }, IDS_6_1)),
    /trace_entry has pid at 8, not at 4/,
  );
});
