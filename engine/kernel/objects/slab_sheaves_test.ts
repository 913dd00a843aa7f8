import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { sheafObjects } from "./slab_sheaves.ts";

const TYPES = fixtureTypes({
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  kmem_cache_per_node_ptrs: { size: 16, members: { barn: [0, "u64"] } },
  kmem_cache: {
    size: 64,
    members: {
      cpu_sheaves: [0, "u64"],
      sheaf_capacity: [8, "u32"],
      per_node: [16, "kmem_cache_per_node_ptrs"],
    },
  },
  slub_percpu_sheaves: {
    size: 32,
    members: { main: [8, "u64"], spare: [16, "u64"], rcu_free: [24, "u64"] },
  },
  slab_sheaf: {
    size: 32,
    members: {
      barn_list: [0, "list_head"],
      cache: [16, "u64"],
      size: [24, "u32"],
      objects: [32, "u64"],
    },
  },
  node_barn: { size: 32, members: { sheaves_full: [8, "list_head"] } },
});

/** A cache of one CPU with two sheaves, and a full one of its node. */
function guestWith() {
  const guest = new FixtureGuest(TYPES);
  const cache = guest.create("kmem_cache");
  const own = guest.allocate(32);
  const areas = guest.image();
  guest.symbol("__per_cpu_offset", areas);
  guest.symbol("nr_cpu_ids", guest.image());
  const sheaf = (objects: readonly bigint[], of = cache) => {
    const at = guest.allocate(32 + 64);
    guest.setU64(at + 16n, of);
    guest.setU32(at + 24n, objects.length);
    objects.forEach((gva, i) => guest.setU64(at + BigInt(32 + 8 * i), gva));
    return at;
  };
  guest.setU64(cache, own);
  guest.setU32(cache + 8n, 4);
  const barn = guest.create("node_barn");
  guest.setU64(cache + 16n, barn);
  const full = sheaf([0x5000n]);
  guest.link(barn + 8n, full);
  return { guest, cache, own, sheaf };
}

const free = ({ guest, cache }: ReturnType<typeof guestWith>) => {
  const kernel = Object.create(guest.kernel, {
    perCpuOffsets: { value: [0n] },
  });
  return [...sheafObjects(kernel, kernel.object("kmem_cache", cache))]
    .map(Number).sort((a, b) => a - b);
};

Deno.test("free objects are in sheaves of CPUs and of nodes", () => {
  const one = guestWith();
  one.guest.setU64(one.own + 8n, one.sheaf([0x1000n, 0x2000n]));
  one.guest.setU64(one.own + 24n, one.sheaf([0x3000n]));
  assert.deepEqual(free(one), [0x1000, 0x2000, 0x3000, 0x5000]);
});

Deno.test("a sheaf of another cache, or one that is too long, frees no more", () => {
  const one = guestWith();
  one.guest.setU64(one.own + 8n, one.sheaf([0x1000n], 0x1234n));
  const long = one.sheaf([1n, 2n, 3n, 4n, 5n, 6n].map((n) => n << 12n));
  one.guest.setU32(long + 24n, 0xffff_ffff);
  one.guest.setU64(one.own + 16n, long);
  assert.deepEqual(free(one), [0x1000, 0x2000, 0x3000, 0x4000, 0x5000]);
});
