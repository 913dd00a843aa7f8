/**
 * Queries: a trace with its sink, which can be run and gives a result.
 *
 * @module
 */
import type { QuerySpec } from "../engine/query/spec.ts";
import { currentRunner, type QueryTarget } from "./runner.ts";

/**
 * What a sink method such as `count(comm)` returns. Awaiting a query runs it;
 * queries awaited together (`await Promise.all([...])`) share one pass over the
 * guest's events.
 *
 * @example
 * ```ts
 * import { comm, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const query = trace(sys_openat).count(comm);
 * const { total } = await query.on(guest);
 * console.log(total);
 * ```
 */
export class Query<R> implements PromiseLike<R> {
  /** The query as data. */
  readonly spec: QuerySpec;
  readonly #target: QueryTarget | undefined;
  #result: Promise<R> | undefined;

  /**
   * @param target what it runs on; default: the target that `xftrace run` or
   * `xftrace eval` was given
   */
  constructor(spec: QuerySpec, target?: QueryTarget) {
    this.spec = spec;
    this.#target = target;
  }

  /** The same query, to be run on this guest. */
  on(target: QueryTarget): Query<R> {
    return new Query(this.spec, target);
  }

  /** Runs the query, once: awaiting it again gives the same result. */
  then<A = R, B = never>(
    resolve?: ((value: R) => A | PromiseLike<A>) | null,
    reject?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#result ??= this.#start();
    return this.#result.then(resolve, reject);
  }

  async #start(): Promise<R> {
    // The result's type is that of the sink in the spec.
    return await (this.#target ?? currentRunner()).ask(this.spec) as R;
  }
}
