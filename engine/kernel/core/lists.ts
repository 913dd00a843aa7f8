/**
 * Walks the kernel's containers: `list_head`, `hlist`, red-black trees and
 * XArrays. A container that changes during the walk may lead
 * anywhere, so each walk is bounded, and {@linkcode steady} repeats it.
 *
 * Sources: include/linux/list.h, include/linux/rbtree_types.h, lib/xarray.c.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { type Budget, BudgetError } from "../../base/budget.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { KernelMemory } from "./object.ts";
import { readable } from "./present.ts";

/** More entries than any container walked here has. */
const MAX_ENTRIES = 1 << 20;
/** XA_CHUNK_SIZE, include/linux/xarray.h. */
const MOST_SLOTS = 64;
const NOTHING = new BigUint64Array(0);
/**
 * Internal entries up to this value are special marks, not nodes (xa_is_node,
 * linux/xarray.h).
 */
export const LAST_MARK = 4096n;

/**
 * Runs `read` until it succeeds, at most `tries` times; then the last error is
 * thrown. When the budget is used up, it is not tried again.
 *
 * @throws {KernelError | MemoryError} from the last attempt.
 */
export function steady<T>(read: () => T, tries = 6): T {
  for (let attempt = 1;; attempt++) {
    try {
      return read();
    } catch (error) {
      const lost = error instanceof KernelError || error instanceof MemoryError;
      if (!lost || attempt >= tries || error instanceof BudgetError) {
        throw error;
      }
    }
  }
}

/** Options for walking a container. */
export interface WalkOptions {
  /** Number of entries above which it counts as damaged; default 2^20. */
  readonly limit?: number;
  /** Its name in error messages: `list of struct module by list`. */
  readonly what?: string;
  /**
   * Whether a hash chain may also end with an odd value (`hlist_nulls_head`).
   */
  readonly nulls?: boolean;
}

/**
 * GVAs of the nodes of a `struct list_head` list, in order, without its head.
 *
 * Whoever leads a `next` past nodes hides them from a walk forwards; but the
 * last of them still leads to the same node, whose `prev` still names it. A
 * `prev` alone that names another node hides nothing: in a recording, it is of
 * another moment than the `next`, and a node that was taken off has a poison in
 * its place.
 *
 * @throws {KernelError} when the list does not lead back to its head, or passes
 * some of its nodes over.
 */
export function listNodes(
  kernel: KernelMemory,
  head: bigint,
  options: WalkOptions = {},
): bigint[] {
  const walk = new Walk(kernel, options.what ?? "list", head, options);
  const leads = (from: bigint, to: bigint, back: bigint) => {
    if (back !== from && holds(kernel, back, to)) throw walk.passesOver();
  };
  let before = head;
  let at = kernel.space.u64(head);
  // Most lists are empty. struct list_head { next, prev }.
  const link = at === head ? NOTHING : new BigUint64Array(2);
  const bytes = new Uint8Array(link.buffer);
  while (at !== head) {
    walk.add(at);
    kernel.space.read(at, bytes);
    leads(before, at, link[1]);
    before = at;
    at = link[0];
  }
  leads(before, head, kernel.space.u64(head + 8n));
  return walk.nodes;
}

/** Whether a pointer can be read, and is this one. */
function holds({ space }: KernelMemory, gva: bigint, pointer: bigint): boolean {
  return readable(() => space.u64(gva)) === pointer;
}

/**
 * GVAs of the nodes of a `struct hlist_head` list; `pprev` is compared as
 * {@linkcode listNodes} compares `prev`. Throws like that.
 */
export function hlistNodes(
  kernel: KernelMemory,
  head: bigint,
  options: WalkOptions = {},
): bigint[] {
  const walk = new Walk(kernel, options.what ?? "hash chain", head, options);
  // struct hlist_node { next, pprev }.
  const link = new BigUint64Array(2);
  const bytes = new Uint8Array(link.buffer);
  let from = head;
  let at = kernel.space.u64(head);
  while (at !== 0n && !(options.nulls === true && (at & 1n) === 1n)) {
    walk.add(at);
    kernel.space.read(at, bytes);
    if (link[1] !== from && holds(kernel, link[1], at)) {
      throw walk.passesOver();
    }
    from = at;
    at = link[0];
  }
  return walk.nodes;
}

/**
 * GVAs of the `struct rb_node`s of a tree whose `struct rb_root` lies at
 * `root`, in tree order. Their parents are compared as {@linkcode listNodes}
 * compares `prev`.
 *
 * @throws {KernelError} when it is not a tree, or passes some of its nodes
 * over.
 */
export function rbNodes(
  kernel: KernelMemory,
  root: bigint,
  options: WalkOptions = {},
): bigint[] {
  const walk = new Walk(kernel, options.what ?? "tree", root, options);
  const inOrder: bigint[] = [];
  // struct rb_node { __rb_parent_color, rb_right, rb_left }.
  const words = new BigUint64Array(3);
  const bytes = new Uint8Array(words.buffer);
  const above: { node: bigint; right: bigint }[] = [];
  let parent = 0n;
  let at = kernel.space.u64(root);
  for (;;) {
    while (at !== 0n) {
      walk.add(at);
      kernel.space.read(at, bytes);
      // The low bits hold the node's colour.
      const named = words[0] & ~3n;
      if (
        named !== parent &&
        (holds(kernel, named + 8n, at) || holds(kernel, named + 16n, at))
      ) throw walk.passesOver();
      above.push({ node: at, right: words[1] });
      parent = at;
      at = words[2];
    }
    const next = above.pop();
    if (next === undefined) return inOrder;
    inOrder.push(next.node);
    parent = next.node;
    at = next.right;
  }
}

/**
 * The pointers in a `struct xarray` at a GVA (an IDR's is its `idr_rt`; a radix
 * tree is one too), with their indices. Entries that are not pointers are left
 * out.
 *
 * @throws {KernelError} when it is damaged or changing.
 */
export function xarrayEntries(
  kernel: KernelMemory,
  xarray: bigint,
  options: WalkOptions = {},
): { index: number; entry: bigint }[] {
  const found: { index: number; entry: bigint }[] = [];
  const { types } = kernel;
  const walk = new Walk(kernel, options.what ?? "XArray", xarray, options);
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
    // Low bits 10 mean an internal entry; small ones are zero, retry and
    // sibling entries.
    if ((entry & 3n) !== 2n) {
      if ((entry & 1n) === 0n && entry !== 0n) {
        walk.count();
        found.push({ index, entry });
      }
      return;
    }
    if (entry <= LAST_MARK) return;
    const node = entry - 2n;
    walk.add(node);
    const shift = kernel.space.u8(node + shiftAt);
    if (shift >= above) throw walk.loops();
    const words = allocateWords(BigUint64Array, count, MOST_SLOTS, node);
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

/** Bounds a walk and records the nodes it has visited. */
export class Walk {
  /** The nodes in the order in which they were visited. */
  readonly nodes: bigint[] = [];
  readonly #seen = new Set<bigint>();
  readonly #name: string;
  readonly #limit: number;
  readonly #budget: Budget;
  #entries = 0;

  constructor(
    { space }: Pick<KernelMemory, "space">,
    what: string,
    at: bigint,
    { limit }: WalkOptions = {},
  ) {
    this.#budget = space.budget;
    this.#name = `the ${what} at 0x${at.toString(16)}`;
    this.#limit = limit ?? MAX_ENTRIES;
  }

  /**
   * Records a node.
   *
   * @throws {KernelError} when it was visited before.
   * @throws {BudgetError} when the budget is used up.
   */
  add(node: bigint): void {
    if (this.#seen.has(node)) throw this.loops();
    this.count();
    this.#seen.add(node);
    this.nodes.push(node);
  }

  /** Counts an entry. @throws {KernelError} when there are too many. */
  count(): void {
    this.#budget.node(this.#name);
    if (this.#entries++ < this.#limit) return;
    throw new KernelError(
      `${this.#name} does not end within ${this.#limit} entries`,
    );
  }

  /** The error for nodes that lead to the walk's, but were not reached. */
  passesOver(): KernelError {
    return new KernelError(
      `${this.#name} passes some of its entries over: damaged or in flux`,
    );
  }

  /** The error for a structure that leads back into itself. */
  loops(): KernelError {
    return new KernelError(
      `${this.#name} runs in circles: damaged or in flux`,
    );
  }
}
