/**
 * Keeps what happens under some functions: the host's own
 * `set_graph_function`, for guests that cannot be told.
 *
 * @module
 */
import { AddressMap } from "../../memory/address_map.ts";
import { type EventColumns, KIND } from "../ring/columns.ts";

/** Nothing entered yet. */
const OUTSIDE = -1;

/**
 * Decides event by event, in time order. Events that are no calls belong to
 * the call within which their thread is.
 */
export class RootFilter {
  /** The roots, at all addresses that may stand for them. */
  readonly #roots = new AddressMap<true>();
  /** Per thread: depth of the root it is in. */
  readonly #inside = new Map<number, number>();

  /**
   * @param roots GVAs of functions
   * @param offsets bytes behind them at which recorded functions may lie, see
   * {@linkcode FtraceSites.offsets}
   */
  constructor(roots: Iterable<bigint>, offsets: readonly number[]) {
    for (const gva of roots) {
      for (const offset of offsets) {
        this.#roots.put(gva + BigInt(offset), true);
      }
    }
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
    const isRoot = this.#roots.has(
      columns.func[2 * row],
      columns.func[2 * row + 1],
    );
    if (isRoot) this.#inside.set(pid, depth);
    else if (inside !== OUTSIDE) this.#inside.delete(pid);
    return isRoot;
  }
}
