/**
 * Sinks that take events one by one: lines, JSON lines, lists, the script's
 * own function, the greatest ones.
 *
 * @module
 */
import type { Access } from "../access.ts";
import type { Frame } from "../frame.ts";
import type { EventLike } from "../../query/spec.ts";
import type { Sink, SinkContext } from "./sink.ts";

/** The sink of `print()`: a line for each event. */
export class PrintSink implements Sink {
  readonly #context: SinkContext;
  #count = 0;

  constructor(context: SinkContext) {
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    let text = "";
    for (let i = 0; i < n; i++) {
      text += this.#context.line(frame, rows[i]);
      if (text.length > 65536) {
        this.#context.write(text);
        text = "";
      }
    }
    if (text !== "") this.#context.write(text);
    this.#count += n;
  }

  /** How many events were printed. */
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

/** JSON of an event: 64-bit addresses as hex strings. */
export function eventJson(event: EventLike): string {
  return JSON.stringify(
    event,
    (_key, value) =>
      typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  );
}

/** The sink of `json()`: JSON lines. */
export class JsonSink implements Sink {
  readonly #context: SinkContext;
  #count = 0;

  constructor(context: SinkContext) {
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    const { event, write } = this.#context;
    let text = "";
    for (let i = 0; i < n; i++) {
      text += eventJson(event.copy(frame, rows[i])) + "\n";
    }
    if (text !== "") write(text);
    this.#count += n;
  }

  /** How many events were written. */
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

/** The sink of `collect()`: a list of events. */
export class CollectSink implements Sink {
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

/** The sink of `for await` and `into(output)`: hands copies on. */
export class EachSink implements Sink {
  readonly #context: SinkContext;
  readonly #take: (event: EventLike) => void;
  #count = 0;

  constructor(take: (event: EventLike) => void, context: SinkContext) {
    this.#take = take;
    this.#context = context;
  }

  take(frame: Frame, rows: Uint32Array, n: number): void {
    for (let i = 0; i < n; i++) {
      this.#take(this.#context.event.copy(frame, rows[i]));
    }
    this.#count += n;
  }

  /** How many events were handed on. */
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

/** The sink of `top(n)`: the events with the greatest values of a field. */
export class TopSink implements Sink {
  readonly #context: SinkContext;
  readonly #n: number;
  readonly #access: Access | undefined;
  /** The greatest first; of equal ones the earlier first. */
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
