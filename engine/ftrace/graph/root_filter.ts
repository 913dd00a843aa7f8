/**
 * Keeps what happens under some functions: the host's own
 * `set_graph_function`, for guests that cannot be told.
 *
 * @module
 */
import { type EventColumns, KIND } from "../ring/columns.ts";

/** Nothing entered yet. */
const OUTSIDE = -1;

/**
 * Decides event by event, in time order. Events that are no calls belong to
 * the call within which their thread is.
 */
export class RootFilter {
  /** Low halves of the roots: symbol and fentry addresses. */
  readonly #roots: ReadonlySet<number>;
  /** Per thread: depth of the root it is in. */
  readonly #inside = new Map<number, number>();

  /**
   * @param roots GVAs of functions; a recorded function may be the symbol or,
   * past an ENDBR64, four bytes behind it
   */
  constructor(roots: Iterable<bigint>) {
    const low = new Set<number>();
    for (const gva of roots) {
      low.add(Number(gva & 0xffffffffn));
      low.add(Number((gva + 4n) & 0xffffffffn));
    }
    this.#roots = low;
  }

  /** Whether the event lies within a root. */
  keeps(columns: EventColumns, row: number): boolean {
    // Each CPU has an idle thread of its own; all are pid 0.
    const pid = columns.pid[row] || -1 - columns.cpu[row];
    const inside = this.#inside.get(pid) ?? OUTSIDE;
    const kind = columns.kind[row];
    if (kind === KIND.other) return inside !== OUTSIDE;
    const depth = columns.depth[row];
    if (kind === KIND.return) {
      if (inside === OUTSIDE || depth < inside) {
        // The root's own return was lost: it cannot still be running.
        if (inside !== OUTSIDE) this.#inside.delete(pid);
        return false;
      }
      if (depth === inside) this.#inside.delete(pid);
      return true;
    }
    if (inside !== OUTSIDE && depth > inside) return true;
    const isRoot = columns.func[2 * row + 1] === 0xffffffff &&
      this.#roots.has(columns.func[2 * row]);
    if (isRoot) this.#inside.set(pid, depth);
    else if (inside !== OUTSIDE) this.#inside.delete(pid);
    return isRoot;
  }
}
