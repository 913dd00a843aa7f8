/**
 * Makes an async iterator of events that a sink hands on.
 *
 * @module
 */

/** Queues events until a `for await` takes them. */
export class PulledEvents<E> implements AsyncIterator<E, undefined> {
  readonly #stop: AbortController;
  #waiting: E[] = [];
  /** Resolves the calls of `next` that wait. */
  #wakes: (() => void)[] = [];
  #ended = false;
  #error: unknown;

  constructor(stop: AbortController) {
    this.#stop = stop;
  }

  /** Adds an event to the queue. */
  event(event: E): void {
    this.#waiting.push(event);
    this.#wake();
  }

  /**
   * Runs the query that fills the queue; the iteration ends, or fails, with it.
   */
  feed(query: PromiseLike<unknown>): void {
    query.then(
      () => this.#end(),
      (error) => {
        this.#error = error;
        this.#end();
      },
    );
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    const wakes = this.#wakes;
    if (wakes.length === 0) return;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }

  /** Waits for the next event. */
  async next(): Promise<IteratorResult<E, undefined>> {
    while (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakes.push(resolve);
      });
    }
    const value = this.#waiting.shift();
    if (value !== undefined) return { value, done: false };
    if (this.#error !== undefined) throw this.#error;
    return { value: undefined, done: true };
  }

  /** Ends the trace, since the loop was left. */
  return(): Promise<IteratorResult<E, undefined>> {
    this.#stop.abort();
    this.#waiting = [];
    return Promise.resolve({ value: undefined, done: true });
  }
}
