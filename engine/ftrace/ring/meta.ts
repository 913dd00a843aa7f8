/**
 * What the decoder and the text output must know about a kernel: entry layouts
 * and type ids, all probed in the kernel's own BTF.
 *
 * @module
 */

import { KernelError } from "../../base/errors.ts";
import type { Types } from "../../kernel/btf/types.ts";

/** Offsets within a sub-buffer (`struct buffer_data_page`), in bytes. */
export interface PageLayout {
  /** The u64 time stamp of the page. */
  readonly timeStamp: number;
  /** The commit; its low word holds the whole value. */
  readonly commit: number;
  /** The first event. */
  readonly data: number;
}

/**
 * Ids of the tracers' own entries (`enum trace_type`); -1 for those that the
 * kernel lacks.
 */
export interface TraceTypeIds {
  readonly fn: number;
  readonly ctx: number;
  readonly wake: number;
  readonly stack: number;
  readonly print: number;
  readonly bprint: number;
  readonly bputs: number;
  readonly graphEnt: number;
  readonly graphRet: number;
  readonly graphRetaddrEnt: number;
  readonly userStack: number;
  readonly hwlat: number;
  readonly osnoise: number;
  readonly timerlat: number;
  readonly rawData: number;
  readonly funcRepeats: number;
  /** The first id of events with a format (`__TRACE_LAST_TYPE`). */
  readonly last: number;
}

/**
 * Offsets in `struct ftrace_graph_ent_entry`, from the start of the
 * `trace_entry`.
 */
export interface GraphEntryLayout {
  readonly func: number;
  /** Low word of the depth, whatever its width. */
  readonly depth: number;
  /** Minimum size of such an entry in bytes. */
  readonly size: number;
  /** Start of the recorded arguments (u64 each); -1 without them. */
  readonly args: number;
  /** The return address in a `TRACE_GRAPH_RETADDR_ENT`; -1 without it. */
  readonly retaddr: number;
}

/**
 * Offsets in `struct ftrace_graph_ret_entry`, from the start of the
 * `trace_entry`.
 */
export interface GraphReturnLayout {
  readonly func: number;
  readonly depth: number;
  readonly overrun: number;
  /** The u64 return value; -1 when the kernel does not record it. */
  readonly retval: number;
  readonly calltime: number;
  readonly rettime: number;
  readonly size: number;
}

/** Layouts and ids needed for decoding. Plain data, so it can be cached. */
export interface TraceLayout {
  readonly page: PageLayout;
  readonly types: TraceTypeIds;
  readonly graphEntry: GraphEntryLayout;
  readonly graphReturn: GraphReturnLayout;
  /** The lowest and highest id of graph entries, for a quick test. */
  readonly graphFirst: number;
  readonly graphLast: number;
  /** `ftrace_entry`: function and caller. */
  readonly fn: {
    readonly ip: number;
    readonly parentIp: number;
    /** Start of the recorded arguments (u64 each); -1 without them. */
    readonly args: number;
  };
  /** `stack_entry`: the array of callers, and its length (-1 without it). */
  readonly stack: { readonly size: number; readonly caller: number };
  /** `userstack_entry`. */
  readonly userStack: { readonly tgid: number; readonly caller: number };
  /** `print_entry`. */
  readonly print: { readonly ip: number; readonly buf: number };
  /** `bprint_entry`; `fmt` is a GVA. */
  readonly bprint: {
    readonly ip: number;
    readonly fmt: number;
    readonly buf: number;
  };
  /** `bputs_entry`; `str` is a GVA. */
  readonly bputs: { readonly ip: number; readonly str: number };
  /** `raw_data_entry`. */
  readonly rawData: { readonly id: number; readonly buf: number };
  /** `func_repeats_entry`. */
  readonly funcRepeats: {
    readonly ip: number;
    readonly parentIp: number;
    readonly count: number;
    readonly topDelta: number;
    readonly bottomDelta: number;
  } | undefined;
}

/**
 * Probes the layouts and ids in the kernel's types.
 *
 * @throws {KernelError} when a type the decoder cannot do without is missing,
 *   or the layout of `struct trace_entry` differs from that of all known
 *   kernels.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { traceLayout } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const layout = traceLayout(guest.session.kernel.types);
 * console.log(layout.page.data); // bytes before a sub-buffer's events
 * ```
 */
export function traceLayout(types: Types): TraceLayout {
  checkTraceEntry(types);
  const ids = typeIds(types);
  const graphIds = [ids.graphEnt, ids.graphRet, ids.graphRetaddrEnt]
    .filter((id) => id >= 0);
  return {
    page: {
      timeStamp: types.offset("buffer_data_page", "time_stamp"),
      commit: types.offset("buffer_data_page", "commit"),
      data: types.offset("buffer_data_page", "data"),
    },
    types: ids,
    graphEntry: graphEntry(types),
    graphReturn: graphReturn(types),
    graphFirst: graphIds.length > 0 ? Math.min(...graphIds) : 0,
    graphLast: graphIds.length > 0 ? Math.max(...graphIds) : -1,
    fn: {
      ip: offsetIn(types, "ftrace_entry", "ip", 8),
      parentIp: offsetIn(types, "ftrace_entry", "parent_ip", 16),
      // Since 6.15: "ftrace: Have ftrace record function arguments".
      args: types.tryOffset("ftrace_entry", "args") ?? -1,
    },
    stack: {
      // Entries of a fixed size had no length of their own.
      size: types.tryOffset("stack_entry", "size") ?? -1,
      caller: types.offset("stack_entry", "caller"),
    },
    userStack: {
      tgid: offsetIn(types, "userstack_entry", "tgid", 8),
      caller: offsetIn(types, "userstack_entry", "caller", 16),
    },
    print: {
      ip: types.offset("print_entry", "ip"),
      buf: types.offset("print_entry", "buf"),
    },
    bprint: {
      ip: types.offset("bprint_entry", "ip"),
      fmt: types.offset("bprint_entry", "fmt"),
      buf: types.offset("bprint_entry", "buf"),
    },
    bputs: {
      ip: types.offset("bputs_entry", "ip"),
      str: types.offset("bputs_entry", "str"),
    },
    rawData: {
      id: offsetIn(types, "raw_data_entry", "id", 8),
      buf: offsetIn(types, "raw_data_entry", "buf", 12),
    },
    funcRepeats: funcRepeats(types),
  };
}

/**
 * Offset of a member. A kernel without the struct has no such entries, so that
 * any offset will do.
 *
 * @throws {KernelError} when the struct has no such member.
 */
function offsetIn(
  types: Types,
  struct: string,
  member: string,
  otherwise: number,
): number {
  return types.tryStruct(struct) === undefined
    ? otherwise
    : types.offset(struct, member);
}

/** The kinds of entries in `enum trace_type` that are known. */
const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "__TRACE_FIRST_TYPE",
  "TRACE_FN",
  "TRACE_CTX",
  "TRACE_WAKE",
  "TRACE_STACK",
  "TRACE_PRINT",
  "TRACE_BPRINT",
  "TRACE_MMIO_RW",
  "TRACE_MMIO_MAP",
  "TRACE_BRANCH",
  "TRACE_GRAPH_RET",
  "TRACE_GRAPH_ENT",
  "TRACE_GRAPH_RETADDR_ENT",
  "TRACE_USER_STACK",
  "TRACE_BLK",
  "TRACE_BPUTS",
  "TRACE_HWLAT",
  "TRACE_OSNOISE",
  "TRACE_TIMERLAT",
  "TRACE_RAW_DATA",
  "TRACE_FUNC_REPEATS",
  "__TRACE_LAST_TYPE",
]);

/**
 * Names of kinds of entries that tracers of this kernel may write, and of which
 * xftrace knows nothing; usually none.
 */
export function unknownEntryTypes(types: Types): string[] {
  return [...types.tryEnum("trace_type")?.keys() ?? []]
    .filter((name) => !KNOWN_TYPES.has(name));
}

function checkTraceEntry(types: Types): void {
  const expected = { type: 0, flags: 2, preempt_count: 3, pid: 4 };
  for (const [name, offset] of Object.entries(expected)) {
    const found = types.tryOffset("trace_entry", name);
    if (found !== offset) {
      throw new KernelError(
        `struct trace_entry has ${name} at ${found ?? "no offset"}, not at ` +
          `${offset}: this kernel's trace entries are not known to xftrace`,
      );
    }
  }
}

function typeIds(types: Types): TraceTypeIds {
  const optional = (name: string) => types.tryEnumerator(name) ?? -1;
  const id = (name: string) => types.enumerator(name);
  return {
    // Every kernel has these, whatever tracers it was built with: without them
    // entries would be passed over.
    fn: id("TRACE_FN"),
    ctx: id("TRACE_CTX"),
    wake: id("TRACE_WAKE"),
    stack: id("TRACE_STACK"),
    print: id("TRACE_PRINT"),
    bprint: id("TRACE_BPRINT"),
    bputs: id("TRACE_BPUTS"),
    graphEnt: id("TRACE_GRAPH_ENT"),
    graphRet: id("TRACE_GRAPH_RET"),
    userStack: id("TRACE_USER_STACK"),
    hwlat: id("TRACE_HWLAT"),
    rawData: id("TRACE_RAW_DATA"),
    // bce29ac9ce0b and a955d7eac177 (5.14).
    osnoise: optional("TRACE_OSNOISE"),
    timerlat: optional("TRACE_TIMERLAT"),
    // c658797f1a70 (5.14).
    funcRepeats: optional("TRACE_FUNC_REPEATS"),
    // 6.13, with CONFIG_FUNCTION_GRAPH_RETADDR.
    graphRetaddrEnt: optional("TRACE_GRAPH_RETADDR_ENT"),
    last: id("__TRACE_LAST_TYPE"),
  };
}

function graphEntry(types: Types): GraphEntryLayout {
  const struct = "ftrace_graph_ent_entry";
  const layout = types.tryStruct(struct);
  // A kernel without the tracer has no such entries, so any offset will do.
  if (layout === undefined) {
    return { func: 8, depth: 16, size: 20, args: -1, retaddr: -1 };
  }
  const func = types.offset(struct, "graph_ent.func");
  const depth = types.offset(struct, "graph_ent.depth");
  // Since 6.15: "ftrace: Add arguments to function graph tracer".
  const args = types.tryOffset(struct, "args") ?? -1;
  // Entries end where the arguments start, which are a flexible array.
  const size = args >= 0 ? args : layout.size;
  const retaddr = returnAddress(types, args);
  checkWords(struct, { func, depth });
  return { func, depth, args, size, retaddr };
}

/**
 * The return address is first in a struct of its own, in later kernels the
 * first recorded argument.
 */
function returnAddress(types: Types, args: number): number {
  if (types.tryEnumerator("TRACE_GRAPH_RETADDR_ENT") === undefined) return -1;
  const struct = "fgraph_retaddr_ent_entry";
  const at = types.tryOffset(struct, "graph_ent.retaddr") ??
    types.tryOffset(struct, "graph_rent.retaddr") ?? args;
  if (at >= 0) return at;
  throw new KernelError(
    "this kernel keeps return addresses where xftrace does not know: struct " +
      `${struct} has no graph_ent.retaddr and no graph_rent.retaddr`,
  );
}

function graphReturn(types: Types): GraphReturnLayout {
  const struct = "ftrace_graph_ret_entry";
  const layout = types.tryStruct(struct);
  if (layout === undefined) {
    return {
      func: 8,
      depth: 16,
      overrun: 20,
      retval: -1,
      calltime: 24,
      rettime: 32,
      size: 40,
    };
  }
  // 6.12 declares the times twice, in `ret` and after it; only those in `ret`
  // are written. Kernels that moved them declare only those after it.
  const time = (name: string) =>
    types.tryOffset(struct, `ret.${name}`) ??
      (checkReturn(types), types.offset(struct, name));
  const func = types.offset(struct, "ret.func");
  const depth = types.offset(struct, "ret.depth");
  const overrun = types.offset(struct, "ret.overrun");
  // Since 6.5 (a1be9ccc57f0), with CONFIG_FUNCTION_GRAPH_RETVAL.
  const retval = types.tryOffset(struct, "ret.retval") ?? -1;
  const calltime = time("calltime");
  const rettime = time("rettime");
  checkWords(struct, { func, depth, calltime, rettime });
  const size = Math.max(calltime, rettime) + 8;
  return { func, depth, overrun, retval, calltime, rettime, size };
}

/**
 * A kernel that has moved the times out of `struct ftrace_graph_ret` has left no
 * room for them there.
 *
 * @throws {KernelError} when there is more in it than is known.
 */
function checkReturn(types: Types): void {
  const struct = "ftrace_graph_ret";
  const layout = types.tryStruct(struct);
  if (layout === undefined) return;
  const known = ["func", "retval", "depth", "overrun"];
  let end = 0;
  for (const name of known) {
    const member = types.tryMember(struct, name);
    if (member !== undefined) end = Math.max(end, member.offset + member.size);
  }
  if (layout.size - end < 8) return;
  throw new KernelError(
    `this kernel's struct ${struct} has neither calltime nor rettime, but more ` +
      `than ${known.join(", ")}: its graph entries are not known to xftrace`,
  );
}

function funcRepeats(types: Types): TraceLayout["funcRepeats"] {
  const struct = "func_repeats_entry";
  if (types.tryStruct(struct) === undefined) return undefined;
  return {
    ip: types.offset(struct, "ip"),
    parentIp: types.offset(struct, "parent_ip"),
    count: types.offset(struct, "count"),
    topDelta: types.offset(struct, "top_delta_ts"),
    bottomDelta: types.offset(struct, "bottom_delta_ts"),
  };
}

/** Columns are read as aligned words, so the fields must be word-aligned. */
function checkWords(struct: string, offsets: Record<string, number>): void {
  for (const [name, offset] of Object.entries(offsets)) {
    if ((offset & 3) !== 0) {
      throw new KernelError(
        `struct ${struct} has ${name} at the odd offset ${offset}: this ` +
          `kernel's graph entries are not known to xftrace`,
      );
    }
  }
}
