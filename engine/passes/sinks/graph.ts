/**
 * Sinks that show what happened inside calls: drawn as the function_graph
 * tracer draws it, or folded into stacks.
 *
 * @module
 */
import { graphDuration, overheadMark } from "../../output/text/duration.ts";
import type { Frame, Inside } from "../frame.ts";
import type { Sink, SinkContext } from "./sink.ts";

/** The lines of one call. */
function drawInside(inside: Inside, context: SinkContext): string {
  const { names } = context;
  let text = "";
  /** Rows whose closing brace is to come. */
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
  return `${duration}|  ${"  ".repeat(depth)}${what}\n`;
}

/** The sink of `graph()`: each call with what was called inside. */
export class GraphSink implements Sink {
  readonly #context: SinkContext;
  #count = 0;

  constructor(context: SinkContext) {
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    let text = "";
    for (let i = 0; i < n; i++) {
      const inside = frame.calls?.inside[rows[i]];
      // Calls inside others are drawn with these.
      if (inside === undefined || frame.columns.depth[rows[i]] > 0) continue;
      text += this.#context.line(frame, rows[i]) +
        drawInside(inside, this.#context);
      this.#count++;
    }
    if (text !== "") this.#context.write(text);
  }

  /** How many calls were drawn. */
  result(): number {
    return this.#count;
  }

  text(): string {
    return "";
  }

  clear(): void {
    this.#count = 0;
  }
}

/** Stacks with what they weigh, as flame graph tools read them. */
export class FoldedStacks {
  /** In the order of the stacks: `comm;sys_openat;...` and its weight. */
  readonly rows: readonly { readonly stack: string; readonly weight: number }[];

  constructor(rows: readonly { stack: string; weight: number }[]) {
    this.rows = rows;
  }

  /** One stack a line, the weight last. */
  toString(): string {
    return this.rows.map(({ stack, weight }) => `${stack} ${weight}\n`)
      .join("");
  }

  /** For JSON.stringify. */
  toJSON(): unknown {
    return this.rows;
  }
}

/** The sink of `folded()`. */
export class FoldedSink implements Sink {
  readonly #context: SinkContext;
  readonly #weight: "self" | "calls";
  #stacks = new Map<string, number>();

  constructor(weight: "self" | "calls", context: SinkContext) {
    this.#weight = weight;
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      const inside = frame.calls?.inside[row];
      if (inside === undefined || frame.columns.depth[row] > 0) continue;
      const named = this.#context.access("comm");
      const comm = named?.shape === "text" ? named.at(frame, row) : undefined;
      this.#fold(comm ?? "<...>", inside);
    }
  }

  #fold(comm: string, inside: Inside): void {
    const { names } = this.#context;
    const stacks: string[] = [];
    const own = new Float64Array(inside.length);
    const parents: number[] = [];
    for (let i = 0; i < inside.length; i++) {
      const depth = inside.depth[i];
      parents.length = depth;
      let at = depth - 1;
      while (at >= 0 && parents[at] === undefined) at--;
      const parent = at >= 0 ? parents[at] : -1;
      parents[depth] = i;
      const name = names.func(inside.func[2 * i], inside.func[2 * i + 1]);
      stacks[i] = `${parent >= 0 ? stacks[parent] : comm};${name}`;
      if (this.#weight === "calls") {
        own[i] = 1;
        continue;
      }
      const ns = inside.duration[i];
      if (!(ns === ns)) continue;
      own[i] += ns;
      if (parent >= 0) own[parent] -= ns;
    }
    for (let i = 0; i < inside.length; i++) {
      const weight = Math.max(0, own[i]);
      if (weight === 0) continue;
      const stack = stacks[i];
      this.#stacks.set(stack, (this.#stacks.get(stack) ?? 0) + weight);
    }
  }

  result(): FoldedStacks {
    const rows = [...this.#stacks].map(([stack, weight]) => ({
      stack,
      weight,
    }));
    rows.sort((a, b) => (a.stack < b.stack ? -1 : a.stack > b.stack ? 1 : 0));
    return new FoldedStacks(rows);
  }

  text(): string {
    return this.result().toString();
  }

  clear(): void {
    this.#stacks = new Map();
  }
}
