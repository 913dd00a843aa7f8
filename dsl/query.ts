/**
 * A trace with its sink: something that can be run and gives a result.
 *
 * @module
 */
import type { QuerySpec } from "../engine/query/spec.ts";
import { currentRunner } from "./runner.ts";

/**
 * What a sink such as `count(comm)` gives. Awaiting it runs it; queries that
 * are awaited together (`await Promise.all([...])`) share one pass over the
 * guest's events.
 */
export class Query<R> implements PromiseLike<R> {
  /** The query as data. */
  readonly spec: QuerySpec;
  #result: Promise<R> | undefined;

  constructor(spec: QuerySpec) {
    this.spec = spec;
  }

  /** Runs the query where the script's runner says. */
  then<A = R, B = never>(
    resolve?: ((value: R) => A | PromiseLike<A>) | null,
    reject?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#result ??= this.#start();
    return this.#result.then(resolve, reject);
  }

  async #start(): Promise<R> {
    // The runner gives what the sink in the spec gives.
    return await currentRunner().add(this.spec) as R;
  }
}
