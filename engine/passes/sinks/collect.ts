/**
 * `collect(limit?)`: the events as a list.
 *
 * @module
 */
import type { EventLike, SinkSpec } from "../../query/spec.ts";
import type { Frame } from "../fields/frame.ts";
import { eventJson } from "./json.ts";
import type { Sink, SinkContext, SinkKind } from "./sink.ts";

/** The options of `collect(limit?)`. */
export interface CollectSpec extends SinkSpec {
  readonly kind: "collect";
  /** The maximum number of events to keep; default: all. */
  readonly limit?: number;
}

/** The result is a list of copies of the events. */
export const COLLECT: SinkKind<CollectSpec, EventLike[]> = {
  kind: "collect",
  text: ({ limit }) => limit === undefined ? "collect()" : `collect(${limit})`,
  make: ({ limit }, context) => new CollectSink(limit ?? Infinity, context),
};

class CollectSink implements Sink<EventLike[]> {
  readonly #context: SinkContext;
  readonly #limit: number;
  #events: EventLike[] = [];

  constructor(limit: number, context: SinkContext) {
    this.#limit = limit;
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    for (let i = 0; i < n && this.#events.length < this.#limit; i++) {
      this.#events.push(this.#context.event.copy(frame, rows[i]));
    }
  }

  result(): EventLike[] {
    return this.#events;
  }

  text(): string {
    return this.#events.map((event) => eventJson(event) + "\n").join("");
  }

  clear(): void {
    this.#events = [];
  }
}
