/**
 * Finds what runs an awaited query: the guest given by `.on(guest)`, else the
 * target that `xftrace run` or `xftrace eval` was given.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";
import type { QuerySpec } from "../engine/query/spec.ts";

/**
 * Runs queries together, in one pass; gives their results in the same order.
 */
export type RunQueries = (
  queries: readonly QuerySpec[],
) => Promise<readonly unknown[]>;

/** What queries run on: an open guest. */
export interface QueryTarget {
  /** Runs a query, together with all others asked in the same tick. */
  ask(query: QuerySpec): Promise<unknown>;
}

/**
 * Gathers queries that are awaited at the same time, and runs them together.
 */
export class Runner implements QueryTarget {
  readonly #run: RunQueries;
  #waiting: {
    spec: QuerySpec;
    resolve: (value: unknown) => void;
    reject: (reason: unknown) => void;
  }[] = [];

  constructor(run: RunQueries) {
    this.#run = run;
  }

  /** Runs a query, together with all others asked in the same tick. */
  ask(spec: QuerySpec): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // A task, not a microtask: `Promise.all` awaits its members in several of
      // these.
      if (this.#waiting.length === 0) setTimeout(() => this.#start(), 0);
      this.#waiting.push({ spec, resolve, reject });
    });
  }

  async #start(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const results = await this.#run(waiting.map((each) => each.spec));
      waiting.forEach((each, i) => each.resolve(results[i]));
    } catch (error) {
      for (const each of waiting) each.reject(error);
    }
  }
}

let current: Runner | undefined;

/**
 * Sets what runs queries that are awaited without `.on(guest)`; `undefined`:
 * nothing does.
 *
 * @example
 * ```ts
 * import { open, setRunner, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * // From now on, queries without a guest of their own run on this one.
 * setRunner(async (queries) => {
 *   const { results } = await guest.run(queries.map((spec) => ({ spec })));
 *   return results;
 * });
 * const { total } = await trace(sys_openat).count();
 * setRunner(undefined);
 * console.log(total);
 * ```
 */
export function setRunner(run: RunQueries | undefined): void {
  current = run === undefined ? undefined : new Runner(run);
}

/**
 * The runner of queries that have no guest of their own.
 *
 * @throws {XftraceError} when none is set.
 */
export function currentRunner(): Runner {
  if (current !== undefined) return current;
  throw new XftraceError(
    "no target is open for this query: put it on one that is, as in trace(sys_openat).on(guest), or start the script with `xftrace run SCRIPT -t TARGET`",
  );
}
