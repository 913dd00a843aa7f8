/**
 * `graph()`: each call together with the calls inside it, drawn in the way of
 * the function_graph tracer.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import { graphDuration, overheadMark } from "../../output/text/duration.ts";
import type { SinkSpec } from "../../query/spec.ts";
import type { Frame, Inside } from "../fields/frame.ts";
import { AsTheyCome, type SinkContext, type SinkKind } from "./sink.ts";

/** Levels that are indented at most: the guest says how deep a call is. */
const DEEPEST = 512;

/** The options of `graph()`. */
export interface GraphSpec extends SinkSpec {
  readonly kind: "graph";
}

/** The result is the number of calls drawn. */
export const GRAPH: SinkKind<GraphSpec, number> = {
  kind: "graph",
  asTheyCome: true,
  inside: true,
  text: () => "graph()",
  make: (_spec, context) => new GraphSink(context),
};

class GraphSink extends AsTheyCome {
  override take(frame: Frame, rows: Uint32Array, n: number): void {
    let text = "";
    for (let i = 0; i < n; i++) {
      const inside = frame.calls?.inside[rows[i]];
      // Calls within others are drawn as part of those.
      if (inside === undefined || frame.columns.depth[rows[i]] > 0) continue;
      text += this.context.line(frame, rows[i]) +
        drawInside(inside, this.context);
      this.count++;
    }
    if (text !== "") this.context.write(text);
  }
}

/** The lines of one call. */
function drawInside(inside: Inside, context: SinkContext): string {
  const { names } = context;
  let text = "";
  /** Rows whose closing brace has not been drawn yet. */
  const open: number[] = [];
  const name = (i: number) =>
    names.func(inside.func[2 * i], inside.func[2 * i + 1]);
  const close = () => {
    const i = open.pop()!;
    text += line(inside.duration[i], inside.depth[i], "}");
  };
  for (let i = 0; i < inside.length; i++) {
    while (
      open.length > 0 && inside.depth[open[open.length - 1]] >= inside.depth[i]
    ) close();
    const leaf = i + 1 === inside.length ||
      inside.depth[i + 1] <= inside.depth[i];
    if (leaf) {
      text += line(inside.duration[i], inside.depth[i], `${name(i)}();`);
    } else {
      text += line(undefined, inside.depth[i], `${name(i)}() {`);
      open.push(i);
    }
  }
  while (open.length > 0) close();
  return text;
}

function line(
  ns: number | undefined,
  depth: number,
  what: string,
): string {
  const duration = ns === undefined
    ? " ".repeat(14)
    : ns === ns
    ? `${overheadMark(ns)} ${graphDuration(ns)}`
    : "?".padStart(9).padEnd(14);
  return `${duration}|  ${"  ".repeat(Math.max(0, Math.min(depth, DEEPEST)))}${
    shown(what)
  }\n`;
}
