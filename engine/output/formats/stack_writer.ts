/**
 * What the formats that hold times of call stacks have in common.
 *
 * @module
 */
import type { EventRun, TraceSource, TraceWriter } from "../writer.ts";
import { leftOutCalls, noCalls } from "./call_names.ts";
import { GuestStacks, type StackTime } from "./stack_times.ts";

/** A writer that is given each call stack of a trace with its times. */
export abstract class StackWriter implements TraceWriter {
  readonly #format: string;
  readonly #guests = new Map<TraceSource, GuestStacks>();
  #gaps = 0;

  /** @param format its name, for messages */
  constructor(format: string) {
    this.#format = format;
  }

  /** Whether the trace is of more than one guest. */
  protected get several(): boolean {
    return this.#guests.size > 1;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      const guest = new GuestStacks(
        source,
        (stack, guest) => this.stack(stack, guest),
      );
      this.#guests.set(source, guest);
    }
  }

  events({ source, columns, from, to }: EventRun): void {
    this.#guests.get(source)!.times.take(columns, from, to);
  }

  lost(): void {
    // A call whose entry or return is missing does not count.
    this.#gaps++;
  }

  /**
   * Passes on what is left.
   *
   * @throws {XftraceError} when the trace has no whole call.
   */
  end(): void {
    let whole = 0;
    for (const guest of this.#guests.values()) whole += guest.end();
    if (whole === 0) throw noCalls(this.#format);
  }

  leftOut(): readonly string[] {
    return leftOutCalls(
      this.#format,
      [...this.#guests.values()].map(({ times }) => times.calls),
      "are left out",
      this.#gaps,
    );
  }

  /** Takes a call stack; the object may be reused for the next one. */
  protected abstract stack(stack: StackTime, guest: GuestStacks): void;
}
