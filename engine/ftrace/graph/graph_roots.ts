/**
 * Graph roots: what `set_graph_function` holds, changed in place.
 *
 * The kernel keeps the roots in `ftrace_graph_hash`. Nothing can be allocated
 * from outside, but entries that are there can be rewritten and moved from
 * bucket to bucket: readers in the guest walk the buckets without locks and
 * bear it (RCU), and each step leaves lists that end. So a guest booted with
 * `ftrace_graph_filter=` of N functions can be given any other N roots.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { ControlWrite } from "../../control/control.ts";

/** include/linux/hash.h, GOLDEN_RATIO_64. */
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn;
const U64 = (1n << 64n) - 1n;
const MAX_BITS = 24n;
const MAX_ENTRIES = 65536;

/** The roots a guest has now. */
export interface GraphRoots {
  /** The functions' call sites (GVA, see ftrace_site.ts); empty: everything is traced. */
  readonly ips: readonly bigint[];
  /** How many entries there are to rewrite. */
  readonly capacity: number;
}

/** A plan for new roots. */
export interface RootsPlan {
  readonly writes: readonly ControlWrite[];
  /** Roots there was no entry for; they need filtering on the host. */
  readonly uncovered: readonly bigint[];
}

interface Entry {
  readonly gva: bigint;
  readonly ip: bigint;
  readonly bucket: bigint;
}

interface Hash {
  readonly buckets: bigint;
  readonly bits: bigint;
  readonly entries: Entry[];
}

function readHash(kernel: Kernel): Hash | undefined {
  const at = kernel.symbols.tryAddress("ftrace_graph_hash");
  const gva = at === undefined ? 0n : kernel.space.u64(at);
  if (gva === 0n) return undefined;
  const hash = kernel.object("ftrace_hash", gva);
  const bits = hash.u64("size_bits");
  const count = hash.number("count");
  if (count === 0) return undefined;
  if (bits > MAX_BITS || count > MAX_ENTRIES) {
    throw new KernelError(
      `ftrace_graph_hash claims ${count} entries in 2^${bits} buckets: it is damaged or in flux`,
    );
  }
  const buckets = hash.u64("buckets");
  const ipOffset = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  const link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
  const entries: Entry[] = [];
  for (let i = 0n; i < 1n << bits; i++) {
    const bucket = buckets + i * 8n;
    let node = kernel.space.u64(bucket);
    while (node !== 0n) {
      if (entries.length >= count) {
        throw new KernelError(
          "ftrace_graph_hash holds more entries than it counts: it is in flux; try again",
        );
      }
      const entry = node - link;
      const ip = kernel.space.u64(entry + ipOffset);
      entries.push({ gva: entry, ip, bucket });
      node = kernel.space.u64(node);
    }
  }
  return { buckets, bits, entries };
}

/** The roots that the guest's kernel has now. */
export function readGraphRoots(kernel: Kernel): GraphRoots {
  const hash = readHash(kernel);
  if (hash === undefined) return { ips: [], capacity: 0 };
  return {
    ips: [...new Set(hash.entries.map((entry) => entry.ip))],
    capacity: hash.entries.length,
  };
}

/**
 * Plans the writes that make `ips` (call sites) the graph roots, as far
 * as there are entries. Entries left over repeat the first root.
 */
export function planGraphRoots(
  kernel: Kernel,
  ips: readonly bigint[],
): RootsPlan {
  const hash = readHash(kernel);
  if (hash === undefined || ips.length === 0) {
    return { writes: [], uncovered: [...ips] };
  }
  const mover = new Mover(kernel, hash);
  const free: Entry[] = [];
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
  // Roots that were not asked for must go, but an entry cannot be freed from
  // outside: it becomes one more of the first root.
  for (const entry of free) mover.move(entry, ips[0]);
  return { writes: mover.writes, uncovered };
}

/** Plans moves of hash entries; later moves see what earlier ones did. */
class Mover {
  readonly writes: ControlWrite[] = [];
  readonly #kernel: Kernel;
  readonly #hash: Hash;
  readonly #planned = new Map<bigint, bigint>();
  readonly #link: bigint;
  readonly #ip: bigint;

  constructor(kernel: Kernel, hash: Hash) {
    this.#kernel = kernel;
    this.#hash = hash;
    this.#link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
    this.#ip = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  }

  #load(gva: bigint): bigint {
    return this.#planned.get(gva) ?? this.#kernel.space.u64(gva);
  }

  #store(where: string, gva: bigint, after: bigint, names = false): void {
    const before = this.#load(gva);
    if (before === after) return;
    this.#planned.set(gva, after);
    const name = (ip: bigint) =>
      this.#kernel.symbols.name(
        Number(ip & 0xffffffffn),
        Number(ip >> 32n),
      );
    this.writes.push({
      what: "graph root",
      where,
      gva,
      width: 8,
      mask: U64,
      before,
      after,
      ...(names ? { shown: [name(before), name(after)] as const } : {}),
    });
  }

  #bucketOf(ip: bigint): bigint {
    const { bits, buckets } = this.#hash;
    if (bits === 0n) return buckets;
    const key = ((ip * GOLDEN_RATIO_64) & U64) >> (64n - bits);
    return buckets + key * 8n;
  }

  /** Gives an entry another function, and moves it to that one's bucket. */
  move(entry: Entry, ip: bigint): void {
    const node = entry.gva + this.#link;
    const bucket = this.#bucketOf(ip);
    if (bucket === entry.bucket) {
      this.#store("ftrace_func_entry.ip", entry.gva + this.#ip, ip, true);
      return;
    }
    // struct hlist_node { next, pprev }.
    const next = this.#load(node);
    const pprev = this.#load(node + 8n);
    this.#store("hlist_node.next", pprev, next);
    if (next !== 0n) this.#store("hlist_node.pprev", next + 8n, pprev);
    this.#store("ftrace_func_entry.ip", entry.gva + this.#ip, ip, true);
    const first = this.#load(bucket);
    this.#store("hlist_node.next", node, first);
    this.#store("hlist_node.pprev", node + 8n, bucket);
    if (first !== 0n) this.#store("hlist_node.pprev", first + 8n, node);
    this.#store("hlist_head.first", bucket, node);
  }
}
