/**
 * The call tree: which function called which, with foreign calls in red.
 *
 * @module
 */
import { useMemo, useState } from "preact/hooks";
import type { PageTrace } from "../engine/output/page/data.ts";
import { FunctionName } from "./parts.tsx";
import { callees, foreignCalls, mergedStacks, type Stack } from "./stacks.ts";
import { ForeignTable } from "./summary.tsx";
import { chosenThreads, ThreadChoice } from "./threads.tsx";
import { count, duration, moduleOf, share, shown } from "./text.ts";

/** Functions of one caller that are shown before somebody asks for more. */
const SHOWN_CALLEES = 40;
/** Rows that are shown at all. */
const MOST_ROWS = 3000;

export function CallTree(
  { trace, threads, setThreads }: {
    trace: PageTrace;
    threads: string;
    setThreads: (choice: string) => void;
  },
) {
  const root = useMemo(
    () => mergedStacks(trace, chosenThreads(trace, threads)),
    [trace, threads],
  );
  const [open, setOpen] = useState<ReadonlySet<Stack>>(new Set());
  const [whole, setWhole] = useState<ReadonlySet<Stack>>(new Set());
  const start = useMemo(() => pathsToForeign(root), [root]);
  const isOpen = (stack: Stack) => open.has(stack) !== start.has(stack);
  const rows: { stack: Stack; more?: number }[] = [];
  const visit = (stack: Stack) => {
    const all = callees(stack);
    const shownNow = whole.has(stack) ? all : all.slice(0, SHOWN_CALLEES);
    for (const each of shownNow) {
      if (rows.length >= MOST_ROWS) return;
      rows.push({ stack: each });
      if (isOpen(each)) visit(each);
    }
    if (all.length > shownNow.length) {
      rows.push({ stack, more: all.length - shownNow.length });
    }
  };
  visit(root);
  const toggled = (set: ReadonlySet<Stack>, stack: Stack) => {
    const next = new Set(set);
    if (!next.delete(stack)) next.add(stack);
    return next;
  };
  return (
    <>
      <div class="bar">
        <ThreadChoice trace={trace} value={threads} set={setThreads} />
      </div>
      <ForeignTable trace={trace} />
      <div class="wide" role="region" aria-label="Call tree" tabIndex={0}>
        <table class="tree">
          <caption>Call tree</caption>
          <thead>
            <tr>
              <th scope="col">Function</th>
              <th scope="col" class="number">Calls</th>
              <th scope="col" class="number">Total</th>
              <th scope="col" class="number">Own</th>
              <th scope="col" class="number">Share</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ stack, more }, i) =>
              more === undefined
                ? (
                  <Row
                    key={i}
                    trace={trace}
                    stack={stack}
                    whole={root.width}
                    open={isOpen(stack)}
                    toggle={() => setOpen(toggled(open, stack))}
                  />
                )
                : (
                  <tr key={i}>
                    <td
                      colSpan={5}
                      style={{ paddingLeft: indent(stack.depth + 1) }}
                    >
                      <button
                        type="button"
                        onClick={() => setWhole(toggled(whole, stack))}
                      >
                        {count(more)} more functions
                      </button>
                    </td>
                  </tr>
                )
            )}
          </tbody>
        </table>
      </div>
      {rows.length >= MOST_ROWS
        ? <p>There are more rows than can be shown: close some functions.</p>
        : null}
    </>
  );
}

function Row(
  { trace, stack, whole, open, toggle }: {
    trace: PageTrace;
    stack: Stack;
    whole: number;
    open: boolean;
    toggle: () => void;
  },
) {
  const name = trace.names[stack.name];
  const foreign = foreignCalls(trace, stack.foreign);
  return (
    <tr class={foreign.length > 0 ? "bad" : ""}>
      <td style={{ paddingLeft: indent(stack.depth) }}>
        {stack.children.size > 0
          ? (
            <button
              type="button"
              class="fold"
              aria-expanded={open}
              aria-label={`${open ? "close" : "open"} ${shown(name)}, level ${
                stack.depth + 1
              }`}
              onClick={toggle}
            >
              {open ? "▾" : "▸"}
            </button>
          )
          : <span class="fold" />}
        <FunctionName name={name} foreign={foreign.length > 0} />
        {foreign.map(({ caller, why, calls }, i) => (
          <span key={i} class="why">
            {why}; called by {shown(caller === "" ? "nobody known" : caller)}
            {", module "}
            {shown(moduleOf(name) ?? moduleOf(caller) ?? "unknown")}
            {`, ${count(calls)} times`}
          </span>
        ))}
        {foreign.length === 0 && stack.leadsToForeign
          ? <span class="why">leads to foreign code</span>
          : null}
      </td>
      <td class="number">{count(stack.calls)}</td>
      <td class="number">{duration(stack.total, trace.unit)}</td>
      <td class="number">{duration(stack.self, trace.unit)}</td>
      <td class="number">{share(stack.width, whole)}</td>
    </tr>
  );
}

/** The callers of foreign calls are open at the beginning. */
function pathsToForeign(root: Stack): Set<Stack> {
  const paths = new Set<Stack>();
  const waiting = [root];
  for (let stack = waiting.pop(); stack !== undefined; stack = waiting.pop()) {
    for (const each of stack.children.values()) {
      if (!each.leadsToForeign) continue;
      waiting.push(each);
      const inside = [...each.children.values()];
      if (inside.some(({ leadsToForeign }) => leadsToForeign)) paths.add(each);
    }
  }
  return paths;
}

function indent(depth: number): string {
  return `${Math.min(depth, 40) * 0.9 + 0.3}rem`;
}
