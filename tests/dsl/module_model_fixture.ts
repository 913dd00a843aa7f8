/**
 * A model of what the guest's module would record, computed from a trace of all
 * functions, to test push-down into the module. It follows graph.c, and does
 * not share code with the passes that it tests.
 *
 * @module
 */
import { EventColumns, KIND } from "../../engine/ftrace/ring/columns.ts";
import { TimeMerge } from "../../engine/ftrace/ring/merge.ts";
import type { EntryDetails, Frame } from "../../engine/passes/fields/frame.ts";
import { moduleSettings } from "../../engine/control/plan.ts";
import type { Program } from "../../engine/query/program.ts";
import { appendRow } from "../../engine/passes/rows.ts";
import type { RunTarget } from "../../engine/run/run.ts";

/** Identifies a task; each CPU's idle task has pid 0. */
function taskAt(columns: EventColumns, row: number): number {
  return columns.pid[row] === 0 ? -1 - columns.cpu[row] : columns.pid[row];
}

/** An open call, with what is needed to recognise its return. */
interface Open {
  readonly row: number;
  readonly depth: number;
  readonly func: bigint;
  /** Depth below the root, as the module counts it. */
  readonly at: number;
}

/** Calls with both entry and return: the module sees no other returns. */
export function wholeCalls(columns: EventColumns): EventColumns {
  const keep = new Set<number>();
  const open = new Map<number, Open[]>();
  for (const row of new TimeMerge(columns).order()) {
    if (columns.kind[row] === KIND.other) continue;
    const task = taskAt(columns, row);
    const stack = open.get(task) ?? [];
    open.set(task, stack);
    const depth = columns.depth[row];
    const func = columns.functionAt(row);
    const entry = columns.kind[row] !== KIND.return;
    while (
      stack.length > 0 &&
      stack[stack.length - 1].depth >= depth + (entry ? 0 : 1)
    ) stack.pop();
    if (entry) stack.push({ row, depth, func, at: depth });
    else {
      const last = stack.at(-1);
      if (last === undefined || last.depth !== depth) continue;
      stack.pop();
      if (last.func === func) keep.add(last.row).add(row);
    }
  }
  const whole = new EventColumns(columns.epoch, keep.size);
  for (let row = 0; row < columns.length; row++) {
    if (keep.has(row)) appendRow(whole, columns, row);
  }
  return whole;
}

/** The rows that the module would have recorded with a program's config. */
export function recordedByModule(
  program: Program,
  target: RunTarget,
  frame: Frame,
): Frame {
  const { columns, arena } = frame;
  const module = moduleSettings(program.plan)?.config;
  if (module === undefined) throw new Error("the module is not used");
  const { symbols } = target.session.kernel;
  const addresses = (names: readonly string[]) =>
    new Set(
      names.flatMap((name) =>
        symbols.addresses(name).flatMap((at) => [at, at + 4n])
      ),
    );
  const roots = addresses(module.roots);
  const all = module.filter === "all";
  const filter = addresses([
    ...module.roots,
    ...Array.isArray(module.filter) ? module.filter : [],
  ]);
  const levels = module.depth ?? 0;
  const to = new EventColumns(columns.epoch, columns.length);
  const details: EntryDetails = {
    caller: new Uint32Array(2 * to.capacity),
    comm: new Int32Array(to.capacity).fill(-1),
    comms: [],
    args: [],
  };
  const kept = new Map<number, number>();
  const open = new Map<number, Open[]>();
  for (const row of new TimeMerge(columns).order()) {
    const task = taskAt(columns, row);
    const stack = open.get(task) ?? [];
    open.set(task, stack);
    const func = columns.functionAt(row);
    const depth = columns.depth[row];
    if (columns.kind[row] === KIND.return) {
      const last = stack.at(-1);
      if (last?.depth !== depth || last.func !== func) continue;
      stack.pop();
      kept.set(row, last.at);
      continue;
    }
    // The kernel's depth counts all calls that it records, ours or not.
    const at = all && stack.length > 0 ? depth - stack[0].depth : stack.length;
    const known = all || filter.has(func);
    const begins = at > 0 || roots.size === 0 || roots.has(func);
    if (!known || !begins || (levels > 0 && at >= levels)) continue;
    stack.push({ row, depth, func, at });
    kept.set(row, at);
  }
  for (let row = 0; row < columns.length; row++) {
    const at = kept.get(row);
    if (at === undefined) continue;
    const now = appendRow(to, columns, row);
    to.depth[now] = at;
  }
  return { columns: to, arena, details, ordered: false };
}
