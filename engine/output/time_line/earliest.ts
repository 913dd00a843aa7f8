/**
 * Which of several sources of events, each in order of time, comes next.
 *
 * @module
 */

/** The source that comes next. */
export interface Earliest<T> {
  /** Of several with the same time the first one; undefined: all have ended. */
  readonly head: T | undefined;
  /** The time of the one after it; Infinity if there is none. */
  readonly until: number;
}

/**
 * Finds the source whose next event is the earliest; one that has ended has the
 * time Infinity.
 */
export function earliest<T extends { readonly time: number }>(
  heads: readonly T[],
): Earliest<T> {
  let head: T | undefined;
  let time = Infinity;
  let until = Infinity;
  for (const each of heads) {
    const own = each.time;
    if (own < time) {
      until = time;
      head = each;
      time = own;
    } else if (own < until) until = own;
  }
  return { head, until };
}
