/**
 * Guests with functions in their `ftrace_graph_hash`.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  type FixtureStruct,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";

/** The structures of the hash, for {@linkcode fixtureTypes}. */
export const HASH_STRUCTS: Readonly<Record<string, FixtureStruct>> = {
  hlist_node: { size: 16, members: { next: [0, "u64"], pprev: [8, "u64"] } },
  ftrace_func_entry: {
    size: 32,
    members: { hlist: [0, "hlist_node"], ip: [16, "u64"] },
  },
  ftrace_hash: {
    size: 40,
    members: { size_bits: [0, "u64"], buckets: [8, "u64"], count: [16, "u64"] },
  },
};

/** Types of a kernel that has graph roots. */
export const HASH_TYPES = fixtureTypes(HASH_STRUCTS);

/** GVA of a function of such a guest. */
export const TEXT = 0xffffffff81000000n;
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn;

/** Implements hash_ip() of kernel/trace/ftrace.c. */
function bucketOf(ip: bigint, bits: number): number {
  return bits === 0
    ? 0
    : Number(BigInt.asUintN(64, ip * GOLDEN_RATIO_64) >> BigInt(64 - bits));
}

/** A guest with these functions in its `ftrace_graph_hash`. */
export class HashGuest extends FixtureGuest {
  readonly bits: number;
  readonly hash: bigint;
  buckets: bigint;
  readonly #pointer: bigint;

  /** @param types must include {@linkcode HASH_STRUCTS} */
  constructor(ips: readonly bigint[], bits: number, types = HASH_TYPES) {
    super(types);
    this.bits = bits;
    this.hash = this.create("ftrace_hash");
    this.buckets = this.allocate(8 * 2 ** bits);
    this.setU64(this.hash, bits);
    this.setU64(this.hash + 8n, this.buckets);
    this.setU64(this.hash + 16n, ips.length);
    for (const ip of ips) this.#add(ip);
    this.#pointer = this.image();
    this.setU64(this.#pointer, this.hash);
    this.symbol("ftrace_graph_hash", this.#pointer);
  }

  /** Like hlist_add_head(). */
  #add(ip: bigint): void {
    const entry = this.create("ftrace_func_entry");
    const bucket = this.buckets + BigInt(bucketOf(ip, this.bits) * 8);
    const first = this.u64(bucket);
    this.setU64(entry, first);
    if (first !== 0n) this.setU64(first + 8n, entry);
    this.setU64(bucket, entry);
    this.setU64(entry + 8n, bucket);
    this.setU64(entry + 16n, ip);
  }

  /**
   * Replaces the hash by one with other functions, as `set_graph_function`
   * does.
   */
  replace(ips: readonly bigint[]): void {
    const hash = this.create("ftrace_hash");
    this.buckets = this.allocate(8 * 2 ** this.bits);
    this.setU64(hash, this.bits);
    this.setU64(hash + 8n, this.buckets);
    this.setU64(hash + 16n, ips.length);
    for (const ip of ips) this.#add(ip);
    this.setU64(this.#pointer, hash);
  }

  /** Checks that every bucket is a well-formed list; returns the functions. */
  check(): bigint[] {
    const ips: bigint[] = [];
    const seen = new Set<bigint>();
    for (let i = 0; i < 2 ** this.bits; i++) {
      let place = this.buckets + BigInt(i * 8);
      for (let node = this.u64(place); node !== 0n; node = this.u64(place)) {
        assert.ok(!seen.has(node), "an entry is there twice");
        seen.add(node);
        assert.equal(this.u64(node + 8n), place, "pprev");
        const ip = this.u64(node + 16n);
        assert.equal(bucketOf(ip, this.bits), i, "bucket");
        ips.push(ip);
        place = node;
      }
    }
    return ips;
  }

  /**
   * Checks that every list ends, since readers in the guest may walk it at any
   * time.
   */
  checkEnds(entries: number): void {
    for (let i = 0; i < 2 ** this.bits; i++) {
      let node = this.u64(this.buckets + BigInt(i * 8));
      for (let steps = 0; node !== 0n; node = this.u64(node)) {
        assert.ok(++steps <= entries, `bucket ${i} does not end`);
      }
    }
  }
}
