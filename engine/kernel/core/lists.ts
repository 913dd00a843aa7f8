/**
 * Walks of the kernel's other containers: `hlist`, red-black trees and
 * XArrays. A container that changes under the walk may lead anywhere, so each
 * walk is bounded and {@linkcode steady} tries again.
 *
 * Sources: include/linux/list.h, include/linux/rbtree_types.h, lib/xarray.c.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { KernelMemory } from "./object.ts";

/** More entries than any container that is walked here has. */
const MAX_ENTRIES = 1 << 20;

/**
 * Runs `read` until it neither loses its way nor meets memory that is not
 * mapped, at most `tries` times; then the error stands.
 *
 * @throws {KernelError | MemoryError} the last attempt's.
 */
export function steady<T>(read: () => T, tries = 6): T {
  for (let attempt = 1;; attempt++) {
    try {
      return read();
    } catch (error) {
      const lost = error instanceof KernelError || error instanceof MemoryError;
      if (!lost || attempt >= tries) throw error;
    }
  }
}

/**
 * GVAs of the nodes of a `struct list_head` list, in order, without its head.
 *
 * @throws {KernelError} when the list does not come back to its head.
 */
export function listNodes(kernel: KernelMemory, head: bigint): bigint[] {
  const nodes: bigint[] = [];
  const seen = new Set<bigint>();
  let at = kernel.space.u64(head);
  while (at !== head) {
    bound(nodes, "list", head);
    if (seen.has(at)) throw loops("list", head);
    seen.add(at);
    nodes.push(at);
    at = kernel.space.u64(at);
  }
  return nodes;
}

/** GVAs of the nodes of a `struct hlist_head` list. Throws as above. */
export function hlistNodes(kernel: KernelMemory, head: bigint): bigint[] {
  const nodes: bigint[] = [];
  const seen = new Set<bigint>();
  let at = kernel.space.u64(head);
  while (at !== 0n) {
    bound(nodes, "hash chain", head);
    if (seen.has(at)) throw loops("hash chain", head);
    seen.add(at);
    nodes.push(at);
    at = kernel.space.u64(at);
  }
  return nodes;
}

/**
 * GVAs of the `struct rb_node`s of a tree whose `struct rb_root` lies at
 * `root`, parents before children.
 *
 * @throws {KernelError} when it is no tree.
 */
export function rbNodes(kernel: KernelMemory, root: bigint): bigint[] {
  const nodes: bigint[] = [];
  const seen = new Set<bigint>();
  // struct rb_node { __rb_parent_color, rb_right, rb_left }.
  const words = new BigUint64Array(3);
  const bytes = new Uint8Array(words.buffer);
  const stack = [kernel.space.u64(root)];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at === 0n) continue;
    bound(nodes, "tree", root);
    if (seen.has(at)) throw loops("tree", root);
    seen.add(at);
    nodes.push(at);
    kernel.space.read(at, bytes);
    stack.push(words[1], words[2]);
  }
  return nodes;
}

/**
 * The pointers in a `struct xarray` at a GVA (an IDR's is its `idr_rt`), with
 * their indices.
 *
 * @throws {KernelError} when it is damaged or in flux.
 */
export function xarrayEntries(
  kernel: KernelMemory,
  xarray: bigint,
): { index: number; entry: bigint }[] {
  const found: { index: number; entry: bigint }[] = [];
  const { types } = kernel;
  const head = kernel.space.u64(
    xarray + BigInt(types.offset("xarray", "xa_head")),
  );
  const shiftAt = BigInt(types.offset("xa_node", "shift"));
  const slots = types.tryMember("xa_node", "slots");
  if (slots === undefined) {
    throw new KernelError("this kernel's struct xa_node has no slots");
  }
  const count = slots.size / 8;
  const visit = (entry: bigint, index: number, above: number): void => {
    // Bits 1:0 = 10: internal; small ones are zero, retry and sibling marks.
    if ((entry & 3n) !== 2n) {
      if ((entry & 1n) === 0n && entry !== 0n) found.push({ index, entry });
      return;
    }
    if (entry < 4096n) return;
    const node = entry - 2n;
    const shift = kernel.space.u8(node + shiftAt);
    if (shift >= above || found.length > MAX_ENTRIES) {
      throw loops("XArray", xarray);
    }
    const words = new BigUint64Array(count);
    kernel.space.read(
      node + BigInt(slots.offset),
      new Uint8Array(words.buffer),
    );
    for (let i = 0; i < count; i++) {
      if (words[i] !== 0n) visit(words[i], index + i * 2 ** shift, shift);
    }
  };
  visit(head, 0, 64);
  return found;
}

function bound(nodes: readonly bigint[], what: string, at: bigint): void {
  if (nodes.length < MAX_ENTRIES) return;
  throw new KernelError(
    `the ${what} at 0x${at.toString(16)} has more than ${MAX_ENTRIES} entries`,
  );
}

function loops(what: string, at: bigint): KernelError {
  return new KernelError(
    `the ${what} at 0x${at.toString(16)} runs in circles: damaged or in flux`,
  );
}
