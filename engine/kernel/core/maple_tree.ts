/**
 * Walks the kernel's maple tree, which maps ranges of indices to pointers.
 * Since 6.1 it holds a process's memory areas.
 *
 * Sources: include/linux/maple_tree.h, lib/maple_tree.c.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { KernelMemory } from "./object.ts";
import { LAST_MARK, Walk, type WalkOptions } from "./lists.ts";

/** One entry: the same pointer for all indices of a range. */
export interface MapleEntry {
  /** First index of the range. */
  readonly first: bigint;
  /** Last index of the range, inclusive. */
  readonly last: bigint;
  readonly entry: bigint;
}

/** A pointer to a node holds its type and flags in its low byte. */
const NODE_MASK = 0xffn;
/** More levels than any tree has: 10 children a node, 64 bits of index. */
const MAX_DEPTH = 31;
/** Words of a node: it has 256 bytes (include/linux/maple_tree.h). */
const NODE_WORDS = 32;
const LAST_INDEX = 0xffff_ffff_ffff_ffffn;

/** Member offsets of one type of node. */
interface NodeLayout {
  readonly pivots: number;
  readonly pivotAt: number;
  readonly slots: number;
  readonly slotAt: number;
  readonly leaf: boolean;
}

/**
 * GVAs of the nodes of a `struct maple_tree`.
 *
 * @throws {KernelError} like {@linkcode mapleEntries}.
 */
export function mapleNodes(kernel: KernelMemory, tree: bigint): bigint[] {
  const nodes: bigint[] = [];
  mapleEntries(kernel, tree, {}, (node) => nodes.push(node));
  return nodes;
}

/**
 * The pointers in a `struct maple_tree` at a GVA with their ranges of indices,
 * in order. Entries that are not pointers are left out.
 *
 * @param visited is given the GVA of each node
 * @throws {KernelError} when it is damaged or changing, or when this kernel has
 * no maple trees.
 */
export function mapleEntries(
  kernel: KernelMemory,
  tree: bigint,
  options: WalkOptions = {},
  visited: (node: bigint) => void = () => {},
): MapleEntry[] {
  const { space, types } = kernel;
  const walk = new Walk(kernel, options.what ?? "maple tree", tree, options);
  const layouts = nodeLayouts(kernel);
  const words = allocateWords(
    BigUint64Array,
    types.struct("maple_node").size / 8,
    NODE_WORDS,
    "struct maple_node",
  );
  const bytes = new Uint8Array(words.buffer);
  const found: MapleEntry[] = [];

  const visit = (
    encoded: bigint,
    min: bigint,
    max: bigint,
    depth: number,
  ): void => {
    const layout = layouts.get(Number((encoded >> 3n) & 0xfn));
    const node = encoded & ~NODE_MASK;
    if (layout === undefined || depth > MAX_DEPTH) throw walk.loops();
    walk.add(node);
    visited(node);
    space.read(node, bytes);
    // A node that has been replaced is marked by being its own parent.
    if ((words[0] & ~NODE_MASK) === node) throw walk.loops();
    const ranges: MapleEntry[] = [];
    let first = min;
    for (let i = 0; i < layout.slots; i++) {
      const pivot = i < layout.pivots ? words[layout.pivotAt + i] : max;
      // A node that is not full ends with a pivot of 0.
      const last = (pivot === 0n && i > 0) || pivot > max ? max : pivot;
      if (last < first) throw walk.loops();
      ranges.push({ first, last, entry: words[layout.slotAt + i] });
      if (last === max) break;
      first = last + 1n;
    }
    for (const range of ranges) {
      if (!layout.leaf) visit(range.entry, range.first, range.last, depth + 1);
      else take(range);
    }
  };
  const take = (range: MapleEntry): void => {
    // As in an XArray, the low bits distinguish values and marks from pointers.
    if (range.entry === 0n || (range.entry & 3n) !== 0n) return;
    walk.count();
    found.push(range);
  };

  const root = space.u64(tree + BigInt(types.offset("maple_tree", "ma_root")));
  if ((root & 3n) === 2n && root > LAST_MARK) visit(root, 0n, LAST_INDEX, 0);
  else take({ first: 0n, last: 0n, entry: root });
  return found;
}

/** Layouts by node type. */
function nodeLayouts(kernel: KernelMemory): ReadonlyMap<number, NodeLayout> {
  const { types } = kernel;
  const layout = (struct: string, leaf: boolean): NodeLayout => {
    const pivot = types.tryMember(struct, "pivot");
    const slot = types.tryMember(struct, "slot");
    if (pivot === undefined || slot === undefined) {
      throw new KernelError(
        `this kernel's struct ${struct} is not understood: it has no pivots or slots`,
      );
    }
    return {
      pivots: pivot.size / 8,
      pivotAt: pivot.offset / 8,
      slots: slot.size / 8,
      slotAt: slot.offset / 8,
      leaf,
    };
  };
  const range = layout("maple_range_64", false);
  return new Map([
    [types.enumerator("maple_leaf_64"), { ...range, leaf: true }],
    [types.enumerator("maple_range_64"), range],
    [types.enumerator("maple_arange_64"), layout("maple_arange_64", false)],
  ]);
}
