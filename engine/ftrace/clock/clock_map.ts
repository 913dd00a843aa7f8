/**
 * Maps times of one clock to those of another, of which only bounds are known:
 * at which time of the other one a time had been reached, or not yet.
 *
 * @module
 */

/**
 * Something that is known of two clocks: when the one showed `from`, the other
 * one showed `to` at most (or at least), both in ns.
 */
export interface ClockBound {
  readonly from: number;
  readonly to: number;
}

/** All that is known of two clocks. */
export interface ClockBounds {
  /** The other clock showed at most this. */
  readonly atMost: readonly ClockBound[];
  /** The other clock showed at least this. */
  readonly atLeast: readonly ClockBound[];
}

/** The length of a part in which rates are taken for constant, ns. */
const PART_NS = 5e9;
/** Parts; if times claim to be that far apart, each is longer. */
const MOST_PARTS = 1000;
/** A part that fits no line is divided down to this, ns, or to a 64th. */
const LEAST_NS = 1e8;
const MOST_DIVIDED = 64;
/** The most that the rates of two clocks may differ. */
const MOST_RATE = 0.005;
/** Steps of a search; each narrows it by a third. */
const STEPS = 60;

/** The times of a part, and how far they may be wrong. */
export interface ClockPart {
  /** Times of the first clock, ns. */
  readonly from: number;
  readonly until: number;
  /** What is to be added to the first clock at the start and the end, ns. */
  readonly start: number;
  readonly end: number;
  /** The most by which either may be wrong, ns. */
  readonly error: number;
  /** Whether bounds in it contradict each other: a clock stood, or was set. */
  readonly torn: boolean;
}

/**
 * A map from one clock to another, made of lines. Where bounds contradict each
 * other within a part (a guest stood still), it is divided, and its error covers
 * all of them.
 *
 * @example
 * ```ts
 * import { ClockMap } from "xftrace/ftrace";
 *
 * const map = ClockMap.fit({
 *   atMost: [{ from: 0, to: 110 }, { from: 1000, to: 1104 }],
 *   atLeast: [{ from: 0, to: 98 }, { from: 1000, to: 1096 }],
 * });
 * console.log(map?.at(500), map?.error); // 602 6
 * ```
 */
export class ClockMap {
  /** In order of time, without gaps. */
  readonly parts: readonly ClockPart[];
  /** The most by which any time may be wrong, ns. */
  readonly error: number;
  /** The part that was used last: times come in order. */
  #last = 0;

  constructor(parts: readonly [ClockPart, ...ClockPart[]]) {
    this.parts = parts;
    this.error = parts.reduce((most, { error }) => Math.max(most, error), 0);
  }

  /**
   * Finds a map; `undefined` when there are no bounds of one kind, so that
   * nothing says how wrong it would be.
   */
  static fit({ atMost, atLeast }: ClockBounds): ClockMap | undefined {
    if (atMost.length === 0 || atLeast.length === 0) return undefined;
    const byTime = (a: ClockBound, b: ClockBound) => a.from - b.from;
    const bounds = {
      most: [...atMost].sort(byTime),
      least: [...atLeast].sort(byTime),
    };
    const from = Math.min(bounds.most[0].from, bounds.least[0].from);
    const until = Math.max(
      bounds.most[bounds.most.length - 1].from,
      bounds.least[bounds.least.length - 1].from,
    );
    const count = Math.min(
      MOST_PARTS,
      Math.max(1, Math.ceil((until - from) / PART_NS)),
    );
    const least = Math.max(LEAST_NS, (until - from) / count / MOST_DIVIDED);
    const parts: Span[] = [];
    for (let i = 0; i < count; i++) {
      const start = from + (until - from) * i / count;
      const end = i + 1 === count
        ? until
        : from + (until - from) * (i + 1) / count;
      divide(bounds, start, end, least, parts);
    }
    join(parts);
    const [first, ...others] = parts.map(partOf);
    return new ClockMap([first, ...others]);
  }

  /**
   * A map for clocks of which bounds of one kind are missing: the latest or
   * earliest times that the others allow, and nothing says how wrong it is.
   */
  static latest({ atMost, atLeast }: ClockBounds): ClockMap | undefined {
    const offsets = (bounds: readonly ClockBound[]) =>
      bounds.map(({ from, to }) => to - from);
    const offset = atMost.length > 0
      ? offsets(atMost).reduce((a, b) => Math.min(a, b))
      : offsets(atLeast).reduce((a, b) => Math.max(a, b), -Infinity);
    if (!Number.isFinite(offset)) return undefined;
    return new ClockMap([{
      from: 0,
      until: 0,
      start: offset,
      end: offset,
      error: Infinity,
      torn: false,
    }]);
  }

  /**
   * The other clock's time at a time of the first, ns. Before and after all
   * bounds, both clocks are taken to go at the same rate.
   */
  at(from: number): number {
    const { parts } = this;
    let i = this.#last;
    while (i > 0 && from < parts[i].from) i--;
    while (i + 1 < parts.length && from >= parts[i].until) i++;
    this.#last = i;
    const part = parts[i];
    const length = part.until - part.from;
    const share = length > 0
      ? Math.min(1, Math.max(0, (from - part.from) / length))
      : 0;
    return from + part.start + (part.end - part.start) * share;
  }
}

interface Sorted {
  readonly most: readonly ClockBound[];
  readonly least: readonly ClockBound[];
}

/**
 * The bounds whose times lie in a part, and the next ones before and after it:
 * if a clock stood in between, they do not fit to the others.
 */
function within(
  bounds: readonly ClockBound[],
  from: number,
  until: number,
): readonly ClockBound[] {
  const first = firstFrom(bounds, from);
  const beyond = firstFrom(bounds, until);
  return bounds.slice(Math.max(0, first - 1), beyond + 1);
}

/** The first bound that is not before a time. */
function firstFrom(bounds: readonly ClockBound[], time: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[middle].from < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Adds the parts of a span of time. */
function divide(
  bounds: Sorted,
  from: number,
  until: number,
  shortest: number,
  parts: Span[],
): void {
  const line = new Lines(
    within(bounds.most, from, until),
    within(bounds.least, from, until),
    from,
  );
  if (!line.fits && until - from > shortest) {
    const middle = (from + until) / 2;
    divide(bounds, from, middle, shortest, parts);
    divide(bounds, middle, until, shortest, parts);
    return;
  }
  const start = line.at(from);
  const end = line.at(until);
  parts.push({
    from,
    until,
    start: { ...start, chosen: (start.least + start.most) / 2 },
    end: { ...end, chosen: (end.least + end.most) / 2 },
    torn: !line.fits,
  });
}

/** What may have to be added at a time. */
interface Range {
  readonly least: number;
  readonly most: number;
}

/** The same, and what is added. */
type Knot = Range & { readonly chosen: number };

/** A part before its neighbours are known. */
interface Span {
  readonly from: number;
  readonly until: number;
  start: Knot;
  end: Knot;
  readonly torn: boolean;
}

/** How far what is added may be from the truth. */
function errorOf({ least, most, chosen }: Knot): number {
  return Math.max(chosen - least, most - chosen);
}

function partOf({ from, until, start, end, torn }: Span): ClockPart {
  return {
    from,
    until,
    start: start.chosen,
    end: end.chosen,
    error: Math.max(errorOf(start), errorOf(end)),
    torn,
  };
}

/** All lines that lie between bounds. */
class Lines {
  /** Whether there is one. */
  readonly fits: boolean;
  readonly #most: readonly ClockBound[];
  readonly #least: readonly ClockBound[];
  readonly #zero: number;
  /** The rate of the line that is farthest from all bounds. */
  readonly #rate: number;

  constructor(
    most: readonly ClockBound[],
    least: readonly ClockBound[],
    zero: number,
  ) {
    this.#most = most;
    this.#least = least;
    this.#zero = zero;
    this.#rate = highest(-MOST_RATE, MOST_RATE, (rate) => this.#room(rate));
    this.fits = this.#room(this.#rate) >= 0;
  }

  /** The most that lines of a rate may add at the zero of the part. */
  #top(rate: number): number {
    let top = Infinity;
    for (const { from, to } of this.#most) {
      top = Math.min(top, to - from - rate * (from - this.#zero));
    }
    return top;
  }

  /** The least that they must add. */
  #bottom(rate: number): number {
    let bottom = -Infinity;
    for (const { from, to } of this.#least) {
      bottom = Math.max(bottom, to - from - rate * (from - this.#zero));
    }
    return bottom;
  }

  #room(rate: number): number {
    return this.#top(rate) - this.#bottom(rate);
  }

  /** What may have to be added at a time. */
  at(time: number): Range {
    const since = time - this.#zero;
    if (!this.fits) {
      // A clock stood or was set: anything between the bounds may be true.
      const offsets = [...this.#most, ...this.#least]
        .map(({ from, to }) => to - from);
      return {
        least: offsets.reduce((a, b) => Math.min(a, b)),
        most: offsets.reduce((a, b) => Math.max(a, b)),
      };
    }
    const slowest = this.#edge(-MOST_RATE);
    const fastest = this.#edge(MOST_RATE);
    const top = (rate: number) => this.#top(rate) + rate * since;
    const bottom = (rate: number) => this.#bottom(rate) + rate * since;
    return {
      least: bottom(highest(slowest, fastest, (rate) => -bottom(rate))),
      most: top(highest(slowest, fastest, top)),
    };
  }

  /** The last rate towards a limit at which there is a line. */
  #edge(limit: number): number {
    let inside = this.#rate;
    let outside = limit;
    if (this.#room(limit) >= 0) return limit;
    for (let i = 0; i < STEPS; i++) {
      const middle = (inside + outside) / 2;
      if (this.#room(middle) >= 0) inside = middle;
      else outside = middle;
    }
    return inside;
  }
}

/** Where a function that rises and then falls is highest. */
function highest(
  from: number,
  to: number,
  value: (at: number) => number,
): number {
  let low = from;
  let high = to;
  for (let i = 0; i < STEPS; i++) {
    const left = low + (high - low) / 3;
    const right = high - (high - low) / 3;
    if (value(left) < value(right)) low = left;
    else high = right;
  }
  return (low + high) / 2;
}

/**
 * Lets time go on without a step where one part meets the next, unless a clock
 * stood just there.
 */
function join(spans: readonly Span[]): void {
  for (let i = 0; i + 1 < spans.length; i++) {
    const one = spans[i];
    const next = spans[i + 1];
    if (one.torn && next.torn) {
      next.start = { ...next.start, chosen: one.end.chosen };
    } else if (one.torn) one.end = { ...one.end, chosen: next.start.chosen };
    else if (next.torn) next.start = { ...next.start, chosen: one.end.chosen };
    else meet(one, next);
  }
  // Time never goes back, whatever the bounds say.
  let last = -Infinity;
  const onward = (time: number, knot: Knot): Knot => {
    last = Math.max(last, time + knot.chosen);
    return { ...knot, chosen: last - time };
  };
  for (const span of spans) {
    span.start = onward(span.from, span.start);
    span.end = onward(span.until, span.end);
  }
}

/** What both allow at the time at which they meet is true. */
function meet(one: Span, next: Span): void {
  const least = Math.max(one.end.least, next.start.least);
  const most = Math.min(one.end.most, next.start.most);
  if (least <= most) {
    one.end = next.start = { least, most, chosen: (least + most) / 2 };
  }
}
