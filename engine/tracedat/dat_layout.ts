/**
 * What the decoder must know about the entries in a trace.dat, from the formats
 * in the file: ids and offsets of Ftrace's own events.
 *
 * @module
 */
import type { TraceLayout } from "../ftrace/ring/meta.ts";
import type { DatEvent, DatField } from "./format_file.ts";
import type { DatHeader } from "./dat_parts.ts";

/** Where the common fields of all events are. */
export interface CommonFields {
  readonly type: DatField;
  readonly pid: DatField;
}

/** Ids and offsets of a trace.dat. */
export interface DatLayout {
  readonly trace: TraceLayout;
  readonly common: CommonFields;
  /** Bytes of a `long`, and so of a function's address. */
  readonly longSize: 4 | 8;
  /** Events by their ids. */
  readonly events: ReadonlyMap<number, DatEvent>;
}

/** Finds a field of an event, also a common one. */
export function fieldOf(event: DatEvent, name: string): DatField | undefined {
  return event.common.find((field) => field.name === name) ??
    event.fields.find((field) => field.name === name);
}

/** The common fields as kernels have them since 2.6.31. */
const COMMON: CommonFields = {
  type: common("common_type", "unsigned short", 0, 2),
  pid: common("common_pid", "int", 4, 4),
};

function common(
  name: string,
  type: string,
  offset: number,
  size: number,
): DatField {
  return {
    name,
    type,
    offset,
    size,
    signed: type === "int",
    array: false,
    dynamic: false,
    relative: false,
    pointer: false,
    long: false,
    text: false,
    element: size,
  };
}

/** Probes the formats of a file. */
export function datLayout(header: DatHeader): DatLayout {
  const events = new Map<number, DatEvent>();
  const own = new Map<string, DatEvent>();
  for (const event of header.events) {
    if (!events.has(event.id)) events.set(event.id, event);
    if (event.system === "ftrace") own.set(event.name, event);
  }
  const id = (name: string) => own.get(name)?.id ?? -1;
  const at = (event: string, field: string, otherwise: number) => {
    const found = own.get(event)?.fields.find(({ name }) => name === field);
    return found?.offset ?? otherwise;
  };
  const { longSize } = header;
  const types = {
    fn: id("function"),
    ctx: id("context_switch"),
    wake: id("wakeup"),
    stack: id("kernel_stack"),
    print: id("print"),
    bprint: id("bprint"),
    bputs: id("bputs"),
    graphEnt: id("funcgraph_entry"),
    graphRet: id("funcgraph_exit"),
    graphRetaddrEnt: id("fgraph_retaddr_entry"),
    userStack: id("user_stack"),
    hwlat: id("hwlat"),
    osnoise: id("osnoise"),
    timerlat: id("timerlat"),
    rawData: id("raw_data"),
    funcRepeats: id("func_repeats"),
    last: 0,
  };
  const graph = [types.graphEnt, types.graphRet, types.graphRetaddrEnt]
    .filter((each) => each >= 0);
  const func = at("funcgraph_entry", "func", 8);
  const depth = at("funcgraph_entry", "depth", 8 + longSize);
  const calltime = at("funcgraph_exit", "calltime", 8 + 2 * longSize);
  const rettime = at("funcgraph_exit", "rettime", 16 + 2 * longSize);
  // The common fields are the same in all formats.
  const [one] = header.events;
  return {
    longSize,
    events,
    common: {
      type: one?.common.find(({ name }) => name === COMMON.type.name) ??
        COMMON.type,
      pid: one?.common.find(({ name }) => name === COMMON.pid.name) ??
        COMMON.pid,
    },
    trace: {
      page: { timeStamp: 0, commit: 8, data: header.pageData },
      types,
      graphFirst: graph.length > 0 ? Math.min(...graph) : 0,
      graphLast: graph.length > 0 ? Math.max(...graph) : -1,
      graphEntry: {
        func,
        depth,
        size: Math.max(func + longSize, depth + 4),
        args: at("funcgraph_entry", "args", -1),
        retaddr: at("fgraph_retaddr_entry", "retaddr", -1),
      },
      graphReturn: {
        func: at("funcgraph_exit", "func", 8),
        depth: at("funcgraph_exit", "depth", 8 + longSize),
        overrun: at("funcgraph_exit", "overrun", -1),
        retval: at("funcgraph_exit", "retval", -1),
        calltime,
        rettime,
        size: Math.max(calltime, rettime) + 8,
      },
      fn: {
        ip: at("function", "ip", 8),
        parentIp: at("function", "parent_ip", 8 + longSize),
        args: at("function", "args", -1),
      },
      stack: {
        size: at("kernel_stack", "size", -1),
        caller: at("kernel_stack", "caller", 16),
      },
      userStack: {
        tgid: at("user_stack", "tgid", 8),
        caller: at("user_stack", "caller", 16),
      },
      print: {
        ip: at("print", "ip", 8),
        buf: at("print", "buf", 8 + longSize),
      },
      bprint: {
        ip: at("bprint", "ip", 8),
        fmt: at("bprint", "fmt", 8 + longSize),
        buf: at("bprint", "buf", 8 + 2 * longSize),
      },
      bputs: {
        ip: at("bputs", "ip", 8),
        str: at("bputs", "str", 8 + longSize),
      },
      rawData: { id: at("raw_data", "id", 8), buf: at("raw_data", "buf", 12) },
      funcRepeats: undefined,
    },
  };
}
