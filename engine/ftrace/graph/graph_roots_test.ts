import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError } from "../../base/errors.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { applyAll, applyWrite, undoAll } from "../../control/control.ts";
import { planGraphRoots, readGraphRoots } from "./graph_roots.ts";

const TYPES = fixtureTypes({
  hlist_node: { size: 16, members: { next: [0, "u64"], pprev: [8, "u64"] } },
  ftrace_func_entry: {
    size: 32,
    members: { hlist: [0, "hlist_node"], ip: [16, "u64"] },
  },
  ftrace_hash: {
    size: 40,
    members: { size_bits: [0, "u64"], buckets: [8, "u64"], count: [16, "u64"] },
  },
});
const TEXT = 0xffffffff81000000n;
const GOLDEN_RATIO_64 = 0x61c8864680b583ebn;

/** hash_ip() of kernel/trace/ftrace.c. */
function bucketOf(ip: bigint, bits: number): number {
  return bits === 0
    ? 0
    : Number(BigInt.asUintN(64, ip * GOLDEN_RATIO_64) >> BigInt(64 - bits));
}

/** A guest whose `ftrace_graph_hash` holds these functions. */
class HashGuest extends FixtureGuest {
  readonly bits: number;
  readonly hash: bigint;
  readonly buckets: bigint;

  constructor(ips: readonly bigint[], bits: number) {
    super(TYPES);
    this.bits = bits;
    this.hash = this.create("ftrace_hash");
    this.buckets = this.allocate(8 * 2 ** bits);
    this.setU64(this.hash, bits);
    this.setU64(this.hash + 8n, this.buckets);
    this.setU64(this.hash + 16n, ips.length);
    for (const ip of ips) this.#add(ip);
    const symbol = this.image();
    const pointer = this.space.translate(symbol).gpa;
    this.view.setBigUint64(pointer, this.hash, true);
    this.symbol("ftrace_graph_hash", symbol);
  }

  /** hlist_add_head(). */
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

  /** The functions, once every bucket is a list as it should be. */
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

  /** Readers in the guest may walk at any moment: each list must end. */
  checkEnds(entries: number): void {
    for (let i = 0; i < 2 ** this.bits; i++) {
      let node = this.u64(this.buckets + BigInt(i * 8));
      for (let steps = 0; node !== 0n; node = this.u64(node)) {
        assert.ok(++steps <= entries, `bucket ${i} does not end`);
      }
    }
  }
}

const sorted = (ips: readonly bigint[]) =>
  [...new Set(ips)].sort((a, b) => a < b ? -1 : 1);

const ips = (minLength: number) =>
  fc.uniqueArray(
    fc.nat(60).map((n) => TEXT + BigInt(n) * 0x40n),
    { minLength, maxLength: 12 },
  );

Deno.test("after the planned writes the hash is well-formed and holds what was asked", () => {
  fc.assert(
    fc.property(ips(1), ips(1), fc.nat(4), (before, wanted, bits) => {
      const guest = new HashGuest(before, bits);
      const { kernel } = guest;
      assert.deepEqual(sorted(guest.check()), sorted(before));
      const image = guest.bytes.slice();
      const plan = planGraphRoots(kernel, wanted);
      assert.deepEqual(guest.bytes, image, "planning writes nothing");
      const applied = plan.writes.map((write) => {
        const one = applyWrite(kernel, write);
        assert.equal(one.found, write.before);
        guest.checkEnds(before.length);
        return one;
      });
      const held = guest.check();
      assert.equal(held.length, before.length);
      const covered = wanted.filter((ip) => !plan.uncovered.includes(ip));
      assert.deepEqual(sorted(held), sorted(covered));
      assert.equal(covered.length, Math.min(wanted.length, before.length));
      assert.deepEqual(sorted([...readGraphRoots(kernel).ips]), sorted(held));
      assert.deepEqual(undoAll(kernel, applied), []);
      assert.deepEqual(guest.bytes, image, "undone to the last byte");
    }),
    { numRuns: 300 },
  );
});

Deno.test("what is there already is not written", () => {
  const held = [TEXT, TEXT + 0x40n, TEXT + 0x80n];
  const guest = new HashGuest(held, 2);
  assert.deepEqual(planGraphRoots(guest.kernel, held.toReversed()), {
    writes: [],
    uncovered: [],
  });
});

Deno.test("new roots can be planned on those that were written", () => {
  const guest = new HashGuest([TEXT, TEXT + 0x40n, TEXT + 0x80n], 3);
  const { kernel } = guest;
  // Fewer than there are entries: some repeat.
  applyAll(kernel, planGraphRoots(kernel, [TEXT + 0x100n]).writes);
  assert.deepEqual(readGraphRoots(kernel), {
    ips: [TEXT + 0x100n],
    capacity: 3,
  });
  const wanted = [TEXT + 0x200n, TEXT + 0x240n, TEXT + 0x280n];
  const plan = planGraphRoots(kernel, wanted);
  assert.deepEqual(plan.uncovered, []);
  applyAll(kernel, plan.writes);
  assert.deepEqual(sorted(guest.check()), wanted);
});

Deno.test("roots for which there is no entry are told", () => {
  const guest = new HashGuest([TEXT], 1);
  const wanted = [TEXT + 0x40n, TEXT + 0x80n, TEXT + 0xc0n];
  assert.deepEqual(
    planGraphRoots(guest.kernel, wanted).uncovered,
    wanted.slice(1),
  );
});

Deno.test("without a hash, or with an empty one, nothing can be told to the guest", () => {
  const none = new FixtureGuest(TYPES);
  const nothing = { ips: [], capacity: 0 };
  assert.deepEqual(readGraphRoots(none.kernel), nothing);
  const empty = new HashGuest([], 3);
  assert.deepEqual(readGraphRoots(empty.kernel), nothing);
  assert.deepEqual(planGraphRoots(empty.kernel, [TEXT]), {
    writes: [],
    uncovered: [TEXT],
  });
  assert.deepEqual(planGraphRoots(empty.kernel, []), {
    writes: [],
    uncovered: [],
  });
});

Deno.test("a hash that is damaged or in flux is refused", () => {
  const refused = (damage: (guest: HashGuest) => void) => {
    const guest = new HashGuest([TEXT, TEXT + 0x40n], 0);
    damage(guest);
    assert.throws(() => readGraphRoots(guest.kernel), KernelError);
  };
  refused((guest) => guest.setU64(guest.hash, 60));
  refused((guest) => guest.setU64(guest.hash + 16n, 1 << 20));
  refused((guest) => guest.setU64(guest.hash + 16n, 1));
  // A list that runs in circles.
  refused((guest) => {
    const first = guest.u64(guest.buckets);
    guest.setU64(guest.u64(first), first);
  });
});
