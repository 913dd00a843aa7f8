/**
 * Keeps the events under some root functions: a host-side `set_graph_function`,
 * for guests where it cannot be set.
 *
 * @module
 */
import { AddressMap } from "../../memory/address_map.ts";
import { type EventColumns, KIND } from "../ring/columns.ts";

/** No root has been entered. */
const OUTSIDE = -1;

/**
 * Decides event by event, in time order. Events that are not function calls
 * belong to the call that their thread is in.
 */
export class RootFilter {
  /** The roots, at every address at which they may be recorded. */
  readonly #roots = new AddressMap<true>();
  /** Depth of the root that each thread is in. */
  readonly #inside = new Map<number, number>();

  /**
   * @param roots GVAs of functions
   * @param offsets possible distances from there to the recorded address, see
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
    // Each CPU has an idle thread of its own, all with pid 0.
    const pid = columns.pid[row] || -1 - columns.cpu[row];
    const inside = this.#inside.get(pid) ?? OUTSIDE;
    const kind = columns.kind[row];
    if (kind === KIND.other) return inside !== OUTSIDE;
    const depth = columns.depth[row];
    if (kind === KIND.return) {
      if (inside === OUTSIDE || depth < inside) {
        // The root's own return was lost; the root can no longer be running.
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
