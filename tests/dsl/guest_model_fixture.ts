/**
 * A model of what a guest records if a plan's control writes are carried out,
 * to test push-down. It does not share code with the passes that it tests: it
 * goes through events one by one.
 *
 * @module
 */
import { EventColumns, KIND } from "../../engine/ftrace/ring/columns.ts";
import { TimeMerge } from "../../engine/ftrace/ring/merge.ts";
import { appendRow } from "../../engine/passes/rows.ts";
import type { Program } from "../../engine/query/program.ts";
import type { RunTarget } from "../../engine/run/run.ts";

/** The rows that the guest would have recorded. */
export function recorded(
  program: Program,
  target: RunTarget,
  columns: EventColumns,
): EventColumns {
  const { steps } = program.plan;
  const told = steps.find(({ step }) => step.control === "roots")?.step;
  const roots = told?.control === "roots"
    ? new Set(told.addresses.flatMap((at) => [at, at + 4n]))
    : undefined;
  let levels = Infinity;
  const muted = new Set<number>();
  for (const { step } of steps) {
    if (step.control === "depth" && step.levels > 0) levels = step.levels;
    if (step.control === "mute") {
      for (const name of step.events) {
        const event = target.events.find(name);
        if (event !== undefined) muted.add(event.id);
      }
    }
  }
  const keptRows = new Set<number>();
  // The kernel depth of each of a task's open calls, outermost first.
  const open = new Map<number, { depth: number; row: number }[]>();
  for (const row of new TimeMerge(columns).order()) {
    const kind = columns.kind[row];
    if (kind === KIND.other) {
      if (!muted.has(columns.type[row])) keptRows.add(row);
      continue;
    }
    const pid = columns.pid[row];
    const task = pid === 0 ? -1 - columns.cpu[row] : pid;
    const stack = open.get(task) ?? [];
    open.set(task, stack);
    const depth = columns.depth[row];
    const isRoot = roots === undefined || roots.has(columns.functionAt(row));
    const deepest = kind === KIND.return ? depth + 1 : depth;
    while (stack.length > 0 && stack[stack.length - 1].depth >= deepest) {
      stack.pop();
    }
    if (kind !== KIND.return) {
      if (stack.length > 0 || isRoot) stack.push({ depth, row });
      const root = stack[0];
      if (root !== undefined && depth - root.depth < levels) keptRows.add(row);
      continue;
    }
    const root = stack[0];
    const level = root !== undefined ? depth - root.depth : isRoot ? 0 : -1;
    if (level >= 0 && level < levels) keptRows.add(row);
    if (stack[stack.length - 1]?.depth === depth) stack.pop();
  }
  return subset(columns, keptRows);
}

function subset(from: EventColumns, rows: ReadonlySet<number>): EventColumns {
  const to = new EventColumns(from.epoch, rows.size);
  for (let row = 0; row < from.length; row++) {
    if (rows.has(row)) appendRow(to, from, row);
  }
  return to;
}
