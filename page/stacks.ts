/**
 * Call stacks of some threads, merged into one tree.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";

/** A function at a place in the call stacks. */
export interface Stack {
  readonly name: number;
  readonly parent: Stack | undefined;
  readonly depth: number;
  readonly children: Map<number, Stack>;
  calls: number;
  total: number;
  self: number;
  /** At least `total`: what the calls that it made took together. */
  width: number;
  /** Foreign calls here: indices in the trace's list. */
  foreign: number[];
  /** Whether there are foreign calls in it. */
  leadsToForeign: boolean;
}

/** Foreign calls, with those of several threads in one. */
export function foreignCalls(
  { foreign, tree, names }: PageTrace,
  indices: readonly number[] = foreign.map((_, index) => index),
): { name: string; caller: string; why: string; calls: number }[] {
  const merged = new Map<string, ReturnType<typeof foreignCalls>[number]>();
  for (const index of indices) {
    const { node, caller, why, calls } = foreign[index];
    const name = names[tree.name[node]];
    const key = JSON.stringify([name, caller, why]);
    const same = merged.get(key);
    if (same !== undefined) same.calls += calls;
    else merged.set(key, { name, caller, why, calls });
  }
  return [...merged.values()].sort((a, b) => b.calls - a.calls);
}

/** Merges the stacks of the threads that are wanted; the root has no name. */
export function mergedStacks(
  { tree, foreign }: PageTrace,
  wanted: (thread: number) => boolean,
): Stack {
  const root = stack(-1, undefined);
  const nodes: (Stack | undefined)[] = [];
  const all: Stack[] = [root];
  for (let i = 0; i < tree.name.length; i++) {
    const above = tree.parent[i];
    // A node comes after the one above it.
    const parent = above >= 0
      ? nodes[above]
      : wanted(-1 - above)
      ? root
      : undefined;
    if (parent === undefined) {
      nodes.push(undefined);
      continue;
    }
    let node = parent.children.get(tree.name[i]);
    if (node === undefined) {
      node = stack(tree.name[i], parent);
      parent.children.set(tree.name[i], node);
      all.push(node);
    }
    node.calls += tree.calls[i];
    node.total += tree.total[i];
    node.self += tree.self[i];
    nodes.push(node);
  }
  foreign.forEach(({ node }, index) => {
    const found = nodes[node];
    found?.foreign.push(index);
    for (let at = found; at !== undefined; at = at.parent) {
      at.leadsToForeign = true;
    }
  });
  for (let i = all.length - 1; i >= 0; i--) {
    const node = all[i];
    node.width = Math.max(node.width, node.total);
    if (node.parent !== undefined) node.parent.width += node.width;
  }
  root.total = root.width;
  return root;
}

function stack(name: number, parent: Stack | undefined): Stack {
  return {
    name,
    parent,
    depth: parent === undefined ? -1 : parent.depth + 1,
    children: new Map(),
    calls: 0,
    total: 0,
    self: 0,
    width: 0,
    foreign: [],
    leadsToForeign: false,
  };
}

/** The functions that a function called, those with most time first. */
export function callees(stack: Stack): Stack[] {
  return [...stack.children.values()].sort((a, b) =>
    b.width - a.width || b.calls - a.calls
  );
}
