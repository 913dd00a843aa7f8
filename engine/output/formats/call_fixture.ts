/**
 * Traces of calls for tests of the formats that show them, and the time of each
 * stack worked out in another way: from all calls at once.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { pairCalls } from "../../ftrace/graph/graph.ts";
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import { TimeMerge } from "../../ftrace/ring/merge.ts";
import { writeBuffers } from "../write_buffers.ts";
import { BARE_GUEST } from "../writer_fixture.ts";
import type { TraceFormat } from "../writer.ts";
import { textBytes } from "../text/byte_text.ts";

/** An entry (without a duration) or a return, of a function of a few. */
export interface CallEvent {
  readonly func: number;
  readonly depth: number;
  readonly ts: number;
  readonly duration?: number;
  readonly pid?: number;
  readonly cpu?: number;
}

/** Columns with these calls; function 3 is at 0xffffffff00000003. */
export function callRows(
  events: readonly CallEvent[],
): { columns: EventColumns; arena: PageArena } {
  const columns = new EventColumns(1_000_000_000n);
  columns.reserve(events.length);
  for (const { func, depth, ts, duration, pid = 7, cpu = 0 } of events) {
    const row = columns.length++;
    columns.kind[row] = duration === undefined ? KIND.entry : KIND.return;
    columns.func[2 * row] = func;
    columns.func[2 * row + 1] = 0xffffffff;
    columns.depth[row] = depth;
    columns.ts[row] = ts;
    columns.duration[row] = duration ?? 0;
    columns.pid[row] = pid;
    columns.cpu[row] = cpu;
  }
  return { columns, arena: new PageArena(64) };
}

/** What a format writes about a trace. */
export function written(
  format: TraceFormat,
  rows: { columns: EventColumns; arena: PageArena },
  guest: typeof BARE_GUEST = BARE_GUEST,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  writeBuffers(
    { ...rows, cpus: [] },
    guest,
    format.writer((chunk) =>
      parts.push(typeof chunk === "string" ? textBytes(chunk) : chunk.slice())
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}

/** A stack's calls, and its time without that of the calls in it, in ns. */
export interface ExpectedStack {
  calls: number;
  self: number;
}

/**
 * Sums of the calls whose entry and return are both in the columns.
 *
 * @param thread names the thread of a row
 * @param name names the function of a row
 */
export function expectedStacks(
  columns: EventColumns,
  thread: (row: number) => string,
  name: (row: number) => string,
): { stacks: Map<string, ExpectedStack>; outermost: number } {
  const order: number[] = [];
  const merge = new TimeMerge(columns);
  for (let row = merge.next(); row >= 0; row = merge.next()) order.push(row);
  const { partner, parent } = pairCalls(columns, Uint32Array.from(order));
  const stacks = new Map<string, ExpectedStack>();
  let outermost = 0;
  const stackOf = (row: number): string =>
    `${parent[row] < 0 ? thread(row) : stackOf(parent[row])};${name(row)}`;
  const at = (row: number) => {
    const stack = stackOf(row);
    const found = stacks.get(stack) ?? { calls: 0, self: 0 };
    stacks.set(stack, found);
    return found;
  };
  for (let row = 0; row < columns.length; row++) {
    if (columns.kind[row] !== KIND.entry || partner[row] < 0) continue;
    const duration = columns.duration[partner[row]];
    const own = at(row);
    own.calls++;
    own.self += duration;
    // Its time is not that of the nearest call around it that has a return.
    let around = parent[row];
    while (around >= 0 && partner[around] < 0) around = parent[around];
    if (around >= 0) at(around).self -= duration;
    else outermost += duration;
  }
  return { stacks, outermost };
}
