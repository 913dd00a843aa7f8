/**
 * What a guest would have recorded, had it been told a plan's control writes:
 * the model that push-down is tested against. Written apart from the passes
 * that it tests: it walks events one by one.
 *
 * @module
 */
import { EventColumns, KIND } from "../../engine/ftrace/columns.ts";
import { TimeMerge } from "../../engine/ftrace/merge.ts";
import type { Expression } from "../../engine/plan/expression.ts";
import type { Program } from "../../engine/plan/program.ts";
import type { RunTarget } from "../../engine/plan/run.ts";

/** Whether the guest's module would record a call. */
type Keep = (values: { duration: number; pid: number; cpu: number }) => boolean;

/** A module's test of a call, read off the pushed conditions. */
function keepOf(pushed: readonly Expression[]): Keep {
  return (values) =>
    pushed.every((node) => {
      if (node.op !== "compare" && node.op !== "among") {
        throw new Error(`a module cannot test ${node.op}`);
      }
      const value = values[node.field as keyof typeof values];
      if (node.op === "among") return node.values.includes(value);
      const wanted = Number(node.value);
      switch (node.is) {
        case "eq":
          return value === wanted;
        case "ne":
          return value !== wanted;
        case "lt":
          return value < wanted;
        case "le":
          return value <= wanted;
        case "gt":
          return value > wanted;
        case "ge":
          return value >= wanted;
      }
    });
}

/** The rows that the guest would have recorded. */
export function recorded(
  program: Program,
  target: RunTarget,
  columns: EventColumns,
): EventColumns {
  const { steps } = program.plan;
  const roots = steps.some(({ step }) => step.control === "roots")
    ? new Set(program.roots.flatMap((at) => [at, at + 4n]))
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
  const keep = keepOf(program.streams.flatMap((stream) => stream.pushed));
  const keptRows = new Set<number>();
  // A task's open calls, outermost first: the kernel depth of each.
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
    if (
      level >= 0 && level < levels &&
      keep({
        duration: columns.duration[row],
        pid,
        cpu: columns.cpu[row],
      })
    ) keptRows.add(row);
    if (stack[stack.length - 1]?.depth === depth) stack.pop();
  }
  return subset(columns, keptRows);
}

function subset(from: EventColumns, rows: ReadonlySet<number>): EventColumns {
  const to = new EventColumns(from.epoch, rows.size);
  for (let row = 0; row < from.length; row++) {
    if (!rows.has(row)) continue;
    const at = to.length++;
    to.ts[at] = from.ts[row];
    to.cpu[at] = from.cpu[row];
    to.type[at] = from.type[row];
    to.pid[at] = from.pid[row];
    to.offset[at] = from.offset[row];
    to.size[at] = from.size[row];
    to.kind[at] = from.kind[row];
    to.func[2 * at] = from.func[2 * row];
    to.func[2 * at + 1] = from.func[2 * row + 1];
    to.depth[at] = from.depth[row];
    to.duration[at] = from.duration[row];
  }
  return to;
}
