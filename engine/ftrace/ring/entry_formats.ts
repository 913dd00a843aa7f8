/**
 * Compares the tracers' own entries as the kernel's types have them with what
 * the kernel itself says of them: its events `ftrace:*`
 * (kernel/trace/trace_export.c), which have their ids and fields.
 *
 * @module
 */
import { KernelError, XftraceError } from "../../base/errors.ts";
import type { TraceEvents } from "../events/events.ts";
import type { EventFormat } from "../events/formats.ts";
import type { TraceLayout } from "./meta.ts";

/** An event, the id of its entries, and where their fields are. */
type Entry = readonly [
  event: string,
  type: string,
  id: number,
  fields: Readonly<Record<string, number | undefined>>,
];

/** Events that older kernels have not have an id of -1. */
function entriesOf(layout: TraceLayout): readonly Entry[] {
  const { types: ids, graphEntry, graphReturn, fn, stack, userStack } = layout;
  const { print, bprint, bputs, rawData, funcRepeats } = layout;
  return [
    ["function", "TRACE_FN", ids.fn, {
      ip: fn.ip,
      parent_ip: fn.parentIp,
      args: fn.args,
    }],
    ["funcgraph_entry", "TRACE_GRAPH_ENT", ids.graphEnt, {
      func: graphEntry.func,
      depth: graphEntry.depth,
      args: graphEntry.args,
    }],
    ["funcgraph_exit", "TRACE_GRAPH_RET", ids.graphRet, {
      func: graphReturn.func,
      depth: graphReturn.depth,
      overrun: graphReturn.overrun,
      calltime: graphReturn.calltime,
      rettime: graphReturn.rettime,
      retval: graphReturn.retval,
    }],
    ["context_switch", "TRACE_CTX", ids.ctx, {}],
    ["wakeup", "TRACE_WAKE", ids.wake, {}],
    ["kernel_stack", "TRACE_STACK", ids.stack, {
      size: stack.size,
      caller: stack.caller,
    }],
    ["user_stack", "TRACE_USER_STACK", ids.userStack, {
      tgid: userStack.tgid,
      caller: userStack.caller,
    }],
    ["print", "TRACE_PRINT", ids.print, { ip: print.ip, buf: print.buf }],
    ["bprint", "TRACE_BPRINT", ids.bprint, {
      ip: bprint.ip,
      fmt: bprint.fmt,
      buf: bprint.buf,
    }],
    ["bputs", "TRACE_BPUTS", ids.bputs, { ip: bputs.ip, str: bputs.str }],
    ["raw_data", "TRACE_RAW_DATA", ids.rawData, {
      id: rawData.id,
      buf: rawData.buf,
    }],
    ["func_repeats", "TRACE_FUNC_REPEATS", ids.funcRepeats, {
      ip: funcRepeats?.ip,
      parent_ip: funcRepeats?.parentIp,
      count: funcRepeats?.count,
      top_delta_ts: funcRepeats?.topDelta,
      bottom_delta_ts: funcRepeats?.bottomDelta,
    }],
    ["hwlat", "TRACE_HWLAT", ids.hwlat, {}],
    ["osnoise", "TRACE_OSNOISE", ids.osnoise, {}],
    ["timerlat", "TRACE_TIMERLAT", ids.timerlat, {}],
  ];
}

/**
 * Makes sure that entries of function_graph are as long as what they hold: the
 * struct is packed, and shorter ones would be taken for damaged.
 */
function checkLength(
  name: string,
  { fields }: EventFormat,
  { graphEntry }: TraceLayout,
): void {
  if (name !== "funcgraph_entry") return;
  const end = Math.max(0, ...fields.map(({ offset, size }) => offset + size));
  if (fields.length === 0 || end === graphEntry.size) return;
  throw disagree(
    `fields of the event ftrace:${name} up to ${end}`,
    `${graphEntry.size} bytes for them`,
  );
}

/**
 * Makes sure that entries are where two places of the kernel say.
 *
 * @returns how many kinds of entries were compared
 * @throws {KernelError} when the two do not agree.
 */
export function checkEntryFormats(
  events: TraceEvents,
  layout: TraceLayout,
): number {
  const own = new Map(
    events.all().filter(({ system }) => system === "ftrace")
      .map((event) => [event.name, event]),
  );
  let compared = 0;
  for (const [name, type, id, fields] of entriesOf(layout)) {
    const event = own.get(name);
    if (event === undefined) continue;
    if (event.id !== id) {
      throw disagree(
        `the event ftrace:${name} the id ${event.id}`,
        `${type} ${id < 0 ? "no number" : `the number ${id}`}`,
      );
    }
    const format = formatOf(events, event.id);
    if (format === undefined) continue;
    compared++;
    checkLength(name, format, layout);
    for (const { name: field, offset } of format.fields) {
      const at = fields[field];
      if (!(field in fields) || at === offset) continue;
      throw disagree(
        `${field} of the event ftrace:${name} at ${offset}`,
        at === undefined || at < 0 ? "no such member" : `it at ${at}`,
      );
    }
  }
  return compared;
}

/** What is wrong with the formats of all events is said where they are used. */
function formatOf(events: TraceEvents, id: number): EventFormat | undefined {
  try {
    return events.format(id);
  } catch (error) {
    if (error instanceof XftraceError) return undefined;
    throw error;
  }
}

function disagree(says: string, types: string): KernelError {
  return new KernelError(
    `this kernel has ${says}, and its types have ${types}: its trace entries ` +
      "are not known to xftrace",
  );
}
