/**
 * What a function calls, summed up over all its calls.
 *
 * @module
 */
import type { PageTree } from "../page/data.ts";

/** A function on a path of calls, and the sums of its calls there. */
export interface Callee {
  /** The number of its name. */
  readonly name: number;
  readonly calls: number;
  /** Time with what it called, in ns. */
  readonly total: number;
  /** Time without that, in ns. */
  readonly self: number;
}

/**
 * Call stacks, asked from any function downwards.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { Follower, openInstance } from "xftrace/ftrace";
 * import { guestTextOptions, LiveTrace, TopSums, traceMeta } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout, { fromBuffer: true });
 * const sums = new TopSums();
 * const live = new LiveTrace(follower, {
 *   meta: traceMeta(instance, events, layout),
 *   options: guestTextOptions(instance),
 * }, sums);
 * follower.poll();
 * live.drain(true);
 * const { functions, graph, nameOf } = sums.snapshot();
 * for (const { id, name } of functions) {
 *   const callees = graph.calleesOf([id]).map(({ name }) => nameOf(name));
 *   console.log(name, callees.length >= 0); // vfs_read true ...
 * }
 * ```
 */
export class CallGraph {
  readonly #tree: PageTree;
  readonly #children = new Map<number, number[]>();

  /** @param tree as CallSums.tree() returns it */
  constructor(tree: PageTree) {
    this.#tree = tree;
    tree.parent.forEach((parent, node) => {
      if (parent < 0) return;
      const children = this.#children.get(parent);
      if (children === undefined) this.#children.set(parent, [node]);
      else children.push(node);
    });
  }

  /**
   * What the last function of a path calls.
   *
   * @param path names: a function, one that it calls, and so on
   */
  calleesOf(path: readonly number[]): Callee[] {
    const { name, calls, total, self } = this.#tree;
    const sums = new Map<
      number,
      { -readonly [K in keyof Callee]: Callee[K] }
    >();
    for (const node of this.#nodesAt(path)) {
      for (const child of this.#children.get(node) ?? []) {
        let sum = sums.get(name[child]);
        if (sum === undefined) {
          sum = { name: name[child], calls: 0, total: 0, self: 0 };
          sums.set(name[child], sum);
        }
        sum.calls += calls[child];
        sum.total += total[child];
        sum.self += self[child];
      }
    }
    return [...sums.values()];
  }

  /** The nodes to which a path leads. */
  #nodesAt([first, ...others]: readonly number[]): number[] {
    const { name } = this.#tree;
    let nodes = name.flatMap((own, node) =>
      own === first && !this.#isWithin(node, first) ? [node] : []
    );
    for (const next of others) {
      nodes = nodes.flatMap((node) => this.#children.get(node) ?? [])
        .filter((child) => name[child] === next);
    }
    return nodes;
  }

  /** Whether a node is below one of this name: its time is within that one's. */
  #isWithin(node: number, wanted: number): boolean {
    const { parent, name } = this.#tree;
    for (let at = parent[node]; at >= 0; at = parent[at]) {
      if (name[at] === wanted) return true;
    }
    return false;
  }
}
