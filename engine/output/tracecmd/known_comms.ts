/**
 * The names of threads as libtraceevent knows them (event-parse.c): those of the
 * file, and those in the events that were printed. Until the first thread is
 * looked up, a thread may have several names; which one it then gets is decided
 * by the search.
 *
 * @module
 */

/** Names that are kept. */
const MOST = 1 << 18;

interface Comm {
  readonly pid: number;
  readonly comm: string;
}

/** Names of threads. */
export class KnownComms {
  /** How many names were added since the first thread was looked up. */
  added = 0;
  /** The newest first, until the first look-up. */
  #list: Comm[] | undefined;
  /** In order of pids. */
  #sorted: Comm[] = [];

  /** @param named the names in the file, in its order */
  constructor(named: Iterable<readonly [number, string]>) {
    this.#list = Array.from(named, ([pid, comm]) => ({ pid, comm })).reverse();
  }

  /** The name of a thread. */
  find(pid: number): string {
    if (pid === 0) return "<idle>";
    if (this.#list !== undefined) {
      this.#sorted = this.#list.sort((a, b) => a.pid - b.pid);
      this.#list = undefined;
    }
    const { found, at } = this.#search(pid);
    return found ? this.#sorted[at].comm : "<...>";
  }

  /** Adds a name that an event holds, unless the thread has one. */
  add(pid: number, comm: string): void {
    if (this.#list !== undefined) {
      if (this.#list.length < MOST) this.#list.unshift({ pid, comm });
      return;
    }
    if (pid === 0 || this.#sorted.length >= MOST) return;
    const { found, at } = this.#search(pid);
    if (found) return;
    this.#sorted.splice(at, 0, { pid, comm });
    this.added++;
  }

  /** Where a pid is, or would be. */
  #search(pid: number): { found: boolean; at: number } {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const own = this.#sorted[middle].pid;
      if (own === pid) return { found: true, at: middle };
      if (pid < own) high = middle;
      else low = middle + 1;
    }
    return { found: false, at: low };
  }
}
