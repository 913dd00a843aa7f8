/**
 * Compares a guest's trace clock with the host's while its trace is followed:
 * from outside, and without a word of the guest's about its clock.
 *
 * An event that can be read has been written: its time had been reached. An event
 * that could not be read yet may have had its time, but not its place in the
 * buffer; only so many can be on their way on one CPU, one for each context that
 * interrupts another (kernel/trace/ring_buffer.c, trace_recursive_lock). The one
 * after them got its time later.
 *
 * @module
 */
import type { EventColumns } from "../ring/columns.ts";
import type { ClockBound, ClockBounds } from "./clock_map.ts";

/** Contexts of a CPU: a task, softirq, irq, NMI, and one between two of them. */
const CONTEXTS = 5;
/** The closest bounds of each span of the guest's time are kept, ns. */
const SPAN_NS = 1e8;
/** Spans that are kept; if there are more, they become longer. */
const MOST_SPANS = 20_000;

/** The closest bounds, by spans of time. */
class Closest {
  readonly #sign: 1 | -1;
  #span = SPAN_NS;
  #kept = new Map<number, ClockBound>();

  /** @param sign 1 if the least time is the closest, else -1 */
  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  add(from: number, to: number): void {
    if (this.#kept.size >= MOST_SPANS) {
      const all = this.#kept;
      this.#kept = new Map();
      this.#span *= 2;
      for (const bound of all.values()) this.#keep(bound);
    }
    this.#keep({ from, to });
  }

  #keep(bound: ClockBound): void {
    const span = Math.floor(bound.from / this.#span);
    const known = this.#kept.get(span);
    if (
      known === undefined ||
      this.#sign * (bound.to - bound.from) <
        this.#sign * (known.to - known.from)
    ) this.#kept.set(span, bound);
  }

  all(): ClockBound[] {
    return [...this.#kept.values()];
  }
}

/**
 * Collects what polls of a follower say of the guest's clock.
 *
 * @example
 * ```ts ignore
 * import { ClockMap, ClockWatch, Follower, openInstance } from "xftrace/ftrace";
 * import { HostClock, open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const { instance, layout } = openInstance(guest.session);
 * const clock = new HostClock();
 * const watch = new ClockWatch(() => clock.now());
 * const follower = new Follower(instance, layout);
 * follower.watch(watch);
 * for (let i = 0; i < 100; i++) {
 *   follower.poll();
 *   follower.drain(() => {});
 * }
 * console.log(ClockMap.fit(watch.bounds())?.error, "ns");
 * ```
 */
export class ClockWatch {
  readonly #now: () => number;
  readonly #atMost = new Closest(1);
  readonly #atLeast = new Closest(-1);
  /** When the last look at each ring began, if it saw everything. */
  readonly #seen = new Map<number, number>();

  /** @param now the host's clock, in ns since some time of its own */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The host's time, to be taken before a ring is read. */
  now(): number {
    return this.#now();
  }

  /**
   * A ring has been read.
   *
   * @param ring its number
   * @param columns its events; those from row `from` on are new
   * @param before the host's time before it was read
   * @param all whether it holds nothing more
   */
  polled(
    ring: number,
    columns: EventColumns,
    from: number,
    before: number,
    all: boolean,
  ): void {
    const after = this.#now();
    const { ts, length } = columns;
    const seen = this.#seen.get(ring);
    if (length > from) this.#atMost.add(ts[length - 1], after);
    if (seen !== undefined && length - from > CONTEXTS) {
      let latest = ts[from];
      for (let row = from + 1; row <= from + CONTEXTS; row++) {
        if (ts[row] > latest) latest = ts[row];
      }
      this.#atLeast.add(latest, seen);
    }
    if (all) this.#seen.set(ring, before);
    else this.#seen.delete(ring);
  }

  /** All that is known. The guest's times are ns since the columns' epoch. */
  bounds(): ClockBounds {
    return { atMost: this.#atMost.all(), atLeast: this.#atLeast.all() };
  }
}
