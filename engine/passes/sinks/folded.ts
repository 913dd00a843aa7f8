/**
 * `folded(weight)`: what happened within calls as stacks for flame graphs.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import type { SinkSpec } from "../../query/spec.ts";
import type { Frame, Inside } from "../fields/frame.ts";
import type { Sink, SinkContext, SinkKind } from "./sink.ts";

/** The options of `folded(weight)`. */
export interface FoldedSpec extends SinkSpec {
  readonly kind: "folded";
  /** The weight: time spent in the function itself (ns), or number of calls. */
  readonly weight: "self" | "calls";
}

/** The result is the stacks with their weights. */
export const FOLDED: SinkKind<FoldedSpec, FoldedStacks> = {
  kind: "folded",
  inside: true,
  text: () => "folded()",
  make: ({ weight }, context) => new FoldedSink(weight, context),
};

/**
 * Stacks with their weights, in the format of flame graph tools.
 *
 * @example
 * ```ts
 * import { open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const stacks = await trace(sys_openat).depth(3).on(guest).folded();
 * console.log(`${stacks}`.split("\n")[0]); // for flamegraph.pl and the like
 * ```
 */
export class FoldedStacks {
  /** Sorted by stack: `comm;sys_openat;...`, each with its weight. */
  readonly rows: readonly { readonly stack: string; readonly weight: number }[];

  constructor(rows: readonly { stack: string; weight: number }[]) {
    this.rows = rows;
  }

  /** A line for each stack, with the weight at its end. */
  toString(): string {
    return this.rows.map(({ stack, weight }) => `${stack} ${weight}\n`)
      .join("");
  }

  /** For JSON.stringify. */
  toJSON(): unknown {
    return this.rows;
  }
}

/** Maximum length of all stacks; a guest may invent any number of them. */
const MOST_TEXT = 1 << 27;

class FoldedSink implements Sink<FoldedStacks> {
  readonly #context: SinkContext;
  readonly #weight: "self" | "calls";
  #stacks = new Map<string, number>();
  /** Characters of all stacks. */
  #length = 0;
  #left = 0;

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
      this.#fold(frameText(comm ?? "<...>"), inside);
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
      const name = frameText(
        names.func(inside.func[2 * i], inside.func[2 * i + 1]),
      );
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
      const before = this.#stacks.get(stack);
      if (before === undefined) {
        if (this.#length + stack.length > MOST_TEXT) {
          this.#left++;
          continue;
        }
        this.#length += stack.length;
      }
      this.#stacks.set(stack, (before ?? 0) + weight);
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

  /** See {@linkcode Sink}. */
  get leftOut(): string | undefined {
    return this.#left === 0
      ? undefined
      : `${this.#left} calls are left out: there are more stacks than can be kept`;
  }

  clear(): void {
    this.#stacks = new Map();
    this.#length = 0;
  }
}

/** A name as one frame of a stack: frames are separated by semicolons. */
function frameText(name: string): string {
  return shown(name).replaceAll(";", ":");
}
