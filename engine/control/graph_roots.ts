/**
 * Changes the graph roots in place.
 *
 * The kernel keeps the roots of function_graph (`set_graph_function`) in
 * `ftrace_graph_hash`. Nothing can be allocated from outside, but existing
 * entries can be rewritten and moved between buckets: readers in the guest walk
 * the buckets without locks and tolerate this (RCU), and every intermediate
 * state has properly terminated lists. A guest booted with
 * `ftrace_graph_filter=` and N functions can thus be given any other N roots.
 *
 * When somebody writes to `set_graph_function`, the guest replaces the whole
 * hash and frees the old one. The words are therefore written, and undone, only
 * while the variable points to the hash for which they were planned.
 *
 * @module
 */
import {
  type GraphHash,
  type GraphHashEntry,
  readGraphHash,
} from "../ftrace/graph/graph_roots.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { WordChange, WordGuard } from "./plan.ts";
import { PlannedMemory, planWord } from "./words.ts";

/** include/linux/hash.h, GOLDEN_RATIO_64. */
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn;
const U64 = (1n << 64n) - 1n;

/** Planned changes of the roots. */
export interface RootsPlan {
  readonly changes: readonly WordChange[];
  /** Roots for which there is no entry; they must be filtered on the host. */
  readonly uncovered: readonly bigint[];
}

/**
 * Plans the changes that make `ips` (call sites) the graph roots, as far as
 * there are entries. Surplus entries repeat the first root.
 */
export function planGraphRoots(
  kernel: Kernel,
  ips: readonly bigint[],
): RootsPlan {
  const hash = readGraphHash(kernel);
  if (hash === undefined || ips.length === 0) {
    return { changes: [], uncovered: [...ips] };
  }
  const mover = new Mover(kernel, hash);
  const free: GraphHashEntry[] = [];
  const missing = new Set(ips);
  for (const entry of hash.entries) {
    if (!missing.delete(entry.ip)) free.push(entry);
  }
  const uncovered: bigint[] = [];
  for (const ip of missing) {
    const entry = free.shift();
    if (entry === undefined) uncovered.push(ip);
    else mover.move(entry, ip);
  }
  // Other roots must go, but an entry cannot be freed from outside: it becomes
  // a duplicate of the first root.
  for (const entry of free) mover.move(entry, ips[0]);
  return { changes: mover.changes, uncovered };
}

/** Plans moves of hash entries; later moves take earlier ones into account. */
class Mover {
  readonly changes: WordChange[] = [];
  readonly #memory: PlannedMemory;
  readonly #hash: GraphHash;
  readonly #guards: readonly WordGuard[];
  readonly #link: bigint;
  readonly #ip: bigint;

  constructor(kernel: Kernel, hash: GraphHash) {
    this.#memory = new PlannedMemory(kernel);
    this.#hash = hash;
    const { variable, gva } = hash;
    this.#guards = [{ where: "ftrace_graph_hash", gva: variable, value: gva }];
    this.#link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
    this.#ip = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  }

  #load(gva: bigint): bigint {
    return this.#memory.word(gva, 8);
  }

  #store(where: string, gva: bigint, after: bigint): void {
    const change = planWord(
      this.#memory,
      "graph roots",
      where,
      gva,
      8,
      after,
      { exact: true, guards: this.#guards },
    );
    if (change !== undefined) this.changes.push(change);
  }

  #bucketOf(ip: bigint): bigint {
    const { bits, buckets } = this.#hash;
    if (bits === 0n) return buckets;
    const key = ((ip * GOLDEN_RATIO_64) & U64) >> (64n - bits);
    return buckets + key * 8n;
  }

  /**
   * Gives an entry another function, and moves it to that function's bucket.
   */
  move(entry: GraphHashEntry, ip: bigint): void {
    const node = entry.gva + this.#link;
    const bucket = this.#bucketOf(ip);
    if (bucket === entry.bucket) {
      this.#store("ftrace_func_entry.ip", entry.gva + this.#ip, ip);
      return;
    }
    // struct hlist_node { next, pprev }.
    const next = this.#load(node);
    const pprev = this.#load(node + 8n);
    this.#store("hlist_node.next", pprev, next);
    if (next !== 0n) this.#store("hlist_node.pprev", next + 8n, pprev);
    this.#store("ftrace_func_entry.ip", entry.gva + this.#ip, ip);
    const first = this.#load(bucket);
    this.#store("hlist_node.next", node, first);
    this.#store("hlist_node.pprev", node + 8n, bucket);
    if (first !== 0n) this.#store("hlist_node.pprev", first + 8n, node);
    this.#store("hlist_head.first", bucket, node);
  }
}
