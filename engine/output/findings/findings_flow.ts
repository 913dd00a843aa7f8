/**
 * Two call flows side by side, with the differences marked.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import { VERSION } from "../../base/version.ts";
import { type CallFlow, ROOT } from "../../detect/flow/call_flow.ts";
import type { PageData } from "../page/data.ts";

/** Lines of a page; a browser would be slow with more. */
const MOST_LINES = 10_000;

/** How flows are drawn. */
export interface FlowTextOptions {
  /** Show only what is below this function; default: all roots. */
  readonly root?: string;
  /** Number of levels below a root; default 6. */
  readonly depth?: number;
  /** Width of one side in columns; default 44. */
  readonly width?: number;
}

interface Line {
  readonly a: string;
  readonly b: string;
  readonly mark: " " | "<" | ">";
}

/**
 * A flow as a tree, with callees below their callers.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { flowText, recordedFlow } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { flow } = recordedFlow(guest.session.kernel);
 * console.log(flowText(flow, { root: "__x64_sys_openat", depth: 3 }));
 * ```
 */
export function flowText(
  flow: CallFlow,
  options: FlowTextOptions = {},
): string {
  return lines(flow, flow, options).map(({ a }) => a.trimEnd() + "\n").join("");
}

/**
 * Two flows side by side: `<` marks what only the first has, `>` what only the
 * second has. `differences` counts all calls of which one flow has none, and
 * `hidden` those among them that no line shows, because they are too deep or
 * below no root.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { flowDiffText, recordedFlow } from "xftrace/detect";
 *
 * await using one = await open("core:testdata/guest-6.1.core.zst");
 * await using other = await open("core:testdata/guest-6.12.core.zst");
 * const { text, differences } = flowDiffText(
 *   recordedFlow(one.session.kernel).flow,
 *   recordedFlow(other.session.kernel).flow,
 *   { root: "__x64_sys_openat", depth: 3 },
 * );
 * console.log(differences, text);
 * ```
 */
export function flowDiffText(
  a: CallFlow,
  b: CallFlow,
  options: FlowTextOptions = {},
): { text: string; differences: number; hidden: number } {
  const width = options.width ?? 44;
  const expanded = new Set<string>();
  const all = lines(a, b, options, expanded);
  const marked = all.filter(({ mark }) => mark !== " ").length;
  const hidden = hiddenDifferences(a, b, options.root, expanded);
  const cut = (text: string) =>
    text.length > width ? text.slice(0, width - 1) + "…" : text.padEnd(width);
  return {
    text: all.map(({ a, b, mark }) => `${cut(a)} ${mark} ${b}`.trimEnd() + "\n")
      .join(""),
    differences: marked + hidden,
    hidden,
  };
}

/**
 * Two flows side by side as a page for a browser.
 *
 * @param names what they are called
 * @param unread whether a part of one could not be read
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { flowDiffPage, recordedFlow } from "xftrace/detect";
 * import { pageOf } from "xftrace/output";
 *
 * await using one = await open("core:testdata/guest-6.1.core.zst");
 * await using other = await open("core:testdata/guest-6.12.core.zst");
 * const page = flowDiffPage(
 *   recordedFlow(one.session.kernel).flow,
 *   recordedFlow(other.session.kernel).flow,
 *   [one.target, other.target],
 *   { root: "__x64_sys_openat", depth: 3 },
 * );
 * console.log(page.verdict?.text, pageOf(page).length);
 * ```
 */
export function flowDiffPage(
  a: CallFlow,
  b: CallFlow,
  names: readonly [string, string],
  options: FlowTextOptions = {},
  unread = false,
): PageData {
  const expanded = new Set<string>();
  const all = lines(a, b, options, expanded);
  const hidden = hiddenDifferences(a, b, options.root, expanded);
  const marked = all.filter(({ mark }) => mark !== " ").length;
  const count = (number: number) => number.toLocaleString("en-US");
  // A table would take spaces at the beginning away.
  const indented = (text: string) =>
    text.replace(/^ +/, (spaces) => spaces.replaceAll(" ", "\u00a0"));
  const rows = all.slice(0, MOST_LINES);
  return {
    title: `${names[0]} and ${names[1]}`,
    by: `xftrace ${VERSION}`,
    verdict: marked + hidden > 0
      ? { kind: "bad", text: `${count(marked + hidden)} calls differ` }
      : unread
      ? { kind: "unknown", text: "no call differs in what could be read" }
      : { kind: "good", text: "no call differs" },
    facts: [
      ["<", `only in ${names[0]}`],
      [">", `only in ${names[1]}`],
      [
        "Differences that are not shown",
        `${count(hidden)}, deeper or elsewhere`,
      ],
      ...(all.length > rows.length
        ? [
          [
            "Lines that are not shown",
            count(all.length - rows.length),
          ] as const,
        ]
        : []),
    ],
    tables: [{
      title: "Which function calls which",
      head: [names[0], "Only in", names[1]],
      rows: rows.map(({ a, b, mark }) => [indented(a), mark, indented(b)]),
      bad: rows.flatMap(({ mark }, row) => mark === " " ? [] : [row]),
      none: "There are no calls.",
    }],
  };
}

/**
 * The number of calls that one flow has, and that no line shows: below functions
 * that were not expanded, since they are too deep, or reached from no root.
 */
function hiddenDifferences(
  a: CallFlow,
  b: CallFlow,
  root: string | undefined,
  expanded: ReadonlySet<string>,
): number {
  const names = new Set(
    root === undefined ? [...a.keys(), ...b.keys()] : [root],
  );
  let hidden = 0;
  // Names that are added meanwhile are visited as well.
  for (const name of names) {
    const [left, right] = [a.get(name)?.callees, b.get(name)?.callees];
    for (
      const callee of new Set([...left?.keys() ?? [], ...right?.keys() ?? []])
    ) {
      names.add(callee);
      const differs = (left?.has(callee) ?? false) !==
        (right?.has(callee) ?? false);
      if (differs && !expanded.has(name)) hidden++;
    }
  }
  return hidden;
}

function lines(
  a: CallFlow,
  b: CallFlow,
  options: FlowTextOptions,
  expanded = new Set<string>(),
): Line[] {
  const found: Line[] = [];
  const most = options.depth ?? 6;
  const visit = (name: string, depth: number, inA: boolean, inB: boolean) => {
    const callees = (flow: CallFlow, on: boolean) =>
      on ? flow.get(name)?.callees : undefined;
    const left = callees(a, inA);
    const right = callees(b, inB);
    const names = [...new Set([...left?.keys() ?? [], ...right?.keys() ?? []])];
    const again = expanded.has(name);
    if (name !== ROOT) {
      const indent = "  ".repeat(depth - 1);
      const more = names.length > 0 && (again || depth >= most);
      const text = `${indent}${shown(name)}()${more ? " ..." : ""}`;
      found.push({
        a: inA ? text : "",
        b: inB ? text : "",
        mark: inA === inB ? " " : inA ? "<" : ">",
      });
    }
    if (again || depth >= most) return;
    expanded.add(name);
    for (const callee of names.sort()) {
      visit(
        callee,
        depth + 1,
        left?.has(callee) ?? false,
        right?.has(callee) ?? false,
      );
    }
  };
  if (options.root === undefined) visit(ROOT, 0, true, true);
  else visit(options.root, 1, a.has(options.root), b.has(options.root));
  return found;
}
