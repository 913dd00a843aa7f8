/**
 * `top(n, field)`: the events with the greatest values of a field.
 *
 * @module
 */
import type { EventLike, SinkSpec } from "../../query/spec.ts";
import type { Access } from "../fields/access.ts";
import type { Frame } from "../fields/frame.ts";
import {
  numberOf,
  type Sink,
  type SinkContext,
  type SinkKind,
} from "./sink.ts";

/** The options of `top(n, field)`. */
export interface TopSpec extends SinkSpec {
  readonly kind: "top";
  readonly n: number;
  readonly field: string;
}

/** The result is the events, beginning with the greatest value. */
export const TOP: SinkKind<TopSpec, EventLike[]> = {
  kind: "top",
  text: ({ n, field }) => `top(${n}, ${field})`,
  fields: ({ field }) => [numberOf(field)],
  make: ({ n, field }, context) => new TopSink(n, field, context),
};

class TopSink implements Sink<EventLike[]> {
  readonly #context: SinkContext;
  readonly #n: number;
  readonly #access: Access | undefined;
  /** Sorted by descending value; equal values by time. */
  #best: { value: number; event: EventLike; line: string }[] = [];

  constructor(n: number, field: string, context: SinkContext) {
    this.#n = n;
    this.#context = context;
    this.#access = context.access(field);
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    const access = this.#access;
    if (access?.shape !== "number" || this.#n === 0) return;
    const best = this.#best;
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      const value = access.at(frame, row);
      if (!(value === value)) continue;
      if (best.length === this.#n && value <= best[best.length - 1].value) {
        continue;
      }
      let at = best.length;
      while (at > 0 && best[at - 1].value < value) at--;
      best.splice(at, 0, {
        value,
        event: this.#context.event.copy(frame, row),
        line: this.#context.line(frame, row),
      });
      if (best.length > this.#n) best.pop();
    }
  }

  result(): EventLike[] {
    return this.#best.map((each) => each.event);
  }

  text(): string {
    return this.#best.map((each) => each.line).join("") || "no events\n";
  }

  clear(): void {
    this.#best = [];
  }
}
