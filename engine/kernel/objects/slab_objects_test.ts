import assert from "node:assert/strict";
import {
  DIRECT_MAP,
  FixtureGuest,
  fixtureTypes,
} from "../core/kernel_fixture.ts";
import { PageUses } from "./slab_objects.ts";

/** The words of a slab, in either struct. */
const SLAB = {
  slab_cache: [24, "u64"],
  freelist: [32, "u64"],
  inuse: [40, "u16"],
  objects: [42, "u16"],
} as const;

const types = (head: string, older: boolean) =>
  fixtureTypes({
    list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
    atomic_t: { size: 4, members: { counter: [0, "u32"] } },
    page: {
      size: 64,
      members: {
        flags: [0, "u64"],
        [head]: [8, "u64"],
        lru: [8, "list_head"],
        mapping: [24, "u64"],
        private: [40, "u64"],
        page_type: [48, "u32"],
        _refcount: [52, "atomic_t"],
        ...(older ? SLAB : {}),
      },
    },
    ...(older ? {} : { slab: { size: 64, members: SLAB } }),
    inode: { size: 32, members: { i_mapping: [0, "u64"], i_data: [8, "u64"] } },
    address_space: { size: 16, members: { host: [8, "u64"] } },
    kmem_cache: {
      size: 64,
      members: {
        size: [0, "u32"],
        offset: [4, "u32"],
        random: [8, "u64"],
        name: [16, "u64"],
        list: [24, "list_head"],
        refcount: [40, "u32"],
        cpu_slab: [48, "u64"],
        object_size: [56, "u32"],
      },
    },
    kmem_cache_cpu: {
      size: 16,
      members: { freelist: [0, "u64"], slab: [8, "u64"] },
    },
  }, [["PG_uptodate", 3], ["PG_head", 6], ["PG_lru", 5], [
    "PG_swapbacked",
    19,
  ]]);
const UPTODATE = 1n << 3n;
const HEAD = 1n << 6n;
const SWAPBACKED = 1n << 19n;
const RANDOM = 0x1234_5678_9abc_def0n;
const SIZE = 256;
/** Offset of the only CPU's variables. */
const CPU = 64n;

/**
 * A guest with one slab of two pages.
 *
 * @param masked whether the second leads to the first by a mask
 * @param older whether the words of a slab are those of its page
 */
function slabGuest(masked = false, older = false) {
  const head = masked ? "compound_info" : "compound_head";
  const guest = new FixtureGuest(types(head, older));
  const words = older ? "page" : "slab";
  const caches = guest.image();
  const bases = guest.image(1);
  const pages = guest.allocate(64 * 256, 4096);
  guest.setU64(bases, DIRECT_MAP);
  guest.setU64(bases + 8n, pages);
  guest.symbol("slab_caches", caches);
  guest.symbol("page_offset_base", bases);
  guest.symbol("vmemmap_base", bases + 8n);
  guest.symbol("__per_cpu_offset", bases + 16n);
  guest.setU64(bases + 16n, CPU);
  const cache = guest.create("kmem_cache");
  const name = guest.allocate(64);
  new TextEncoder().encode("filp").forEach((byte, i) =>
    guest.view.setUint8(guest.gpa(name) + i, byte)
  );
  guest.setU32(guest.at("kmem_cache", cache, "size"), SIZE);
  guest.setU32(guest.at("kmem_cache", cache, "object_size"), SIZE);
  guest.setU32(guest.at("kmem_cache", cache, "offset"), 128);
  guest.setU32(guest.at("kmem_cache", cache, "refcount"), 1);
  guest.setU64(guest.at("kmem_cache", cache, "random"), RANDOM);
  guest.setU64(guest.at("kmem_cache", cache, "name"), name);
  guest.link(caches, guest.at("kmem_cache", cache, "list"));
  const slab = guest.allocate(8192, 8192);
  const index = guest.gpa(slab) / 4096;
  const page = (at: number) => pages + BigInt(64 * at);
  guest.setU64(guest.at(words, page(index), "slab_cache"), cache);
  guest.setU64(
    guest.at("page", page(index + 1), head),
    masked ? BigInt.asUintN(64, -1n << 7n) | 1n : page(index) + 1n,
  );
  guest.setU64(guest.at("page", page(index), "flags"), HEAD);
  /** Says how many objects of the slab are free. */
  const free = (count: number) =>
    guest.setU32(guest.at(words, page(index), "inuse"), 32 << 16 | 32 - count);
  free(0);
  return { guest, slab, cache, page, index, free };
}

/** As freelist_ptr_encode stores a pointer. */
function hardened(pointer: bigint, place: bigint): bigint {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, place, true);
  return pointer ^ RANDOM ^ bytes.getBigUint64(0, false);
}

Deno.test("an object of a slab is told by its place, also in its second page", () => {
  for (const [masked, older] of [[false], [true], [false, true]]) {
    const { guest, slab } = slabGuest(masked, older);
    const uses = new PageUses(guest.kernel);
    const at = guest.gpa(slab) + 4096 + SIZE + 40;
    const { kind, object } = uses.at(at);
    assert.equal(kind, "slab");
    assert.deepEqual(object, {
      cache: "filp",
      gva: slab + BigInt(4096 + SIZE),
      size: SIZE,
      offset: 40,
      merged: false,
      free: false,
    });
  }
});

Deno.test("free objects are told from those in use, whatever lies in them", () => {
  const { guest, slab, page, index, free: count } = slabGuest();
  const [first, second] = [slab + 512n, slab + 4096n];
  guest.setU64(guest.at("slab", page(index), "freelist"), first);
  guest.setU64(first + 128n, hardened(second, first + 128n));
  guest.setU64(second + 128n, hardened(0n, second + 128n));
  count(2);
  const uses = new PageUses(guest.kernel);
  const free = (gva: bigint) => uses.at(guest.gpa(gva)).object?.free;
  assert.deepEqual(
    [slab, first, second, slab + 768n].map(free),
    [false, true, true, false],
  );
});

Deno.test("a list of free objects that leads into itself ends", () => {
  const { guest, slab, page, index } = slabGuest();
  guest.setU64(guest.at("slab", page(index), "freelist"), slab);
  guest.setU64(slab + 128n, hardened(slab, slab + 128n));
  const uses = new PageUses(guest.kernel);
  // Nobody counts as many.
  assert.equal(uses.at(guest.gpa(slab)).object?.free, false);
});

Deno.test("who puts an object on the list of free ones does not free it", () => {
  const { guest, slab, page, index, free } = slabGuest();
  guest.setU64(guest.at("slab", page(index), "freelist"), slab);
  guest.setU64(slab + 128n, hardened(0n, slab + 128n));
  const is = () => new PageUses(guest.kernel).at(guest.gpa(slab)).object?.free;
  assert.equal(is(), false);
  free(1);
  assert.equal(is(), true);
});

Deno.test("pages of files and processes, free pages and others are told apart", () => {
  const { guest, slab, page, cache } = slabGuest();
  const set = (index: number, member: string, value: bigint | number) => {
    const at = guest.at("page", page(index), member);
    if (typeof value === "bigint") guest.setU64(at, value);
    else guest.setU32(at, value);
  };
  const kinds = (...indices: number[]) => {
    const uses = new PageUses(guest.kernel);
    return indices.map((index) => uses.at(index * 4096).kind);
  };
  // A file's page, as its inode says; and one whose mapping is no inode's.
  const inode = guest.create("inode");
  const data = guest.at("inode", inode, "i_data");
  guest.setU64(data + 8n, inode);
  set(3, "mapping", data);
  set(4, "mapping", guest.create("address_space"));
  for (const index of [3, 4, 5, 6, 7]) set(index, "_refcount", 1);
  for (const index of [3, 4, 6, 7]) set(index, "flags", UPTODATE);
  set(5, "flags", SWAPBACKED);
  // Of a process, and what only says so.
  const name = guest.u64(guest.at("kmem_cache", cache, "name"));
  new TextEncoder().encode("anon_vma\0").forEach((byte, i) =>
    guest.view.setUint8(guest.gpa(name) + i, byte)
  );
  set(5, "mapping", slab + 1n);
  set(6, "mapping", inode + 1n);
  set(7, "mapping", 3n);
  assert.deepEqual(kinds(3, 4, 5, 6, 7), [
    "mapped",
    "kernel",
    "mapped",
    "kernel",
    "kernel",
  ]);
  // In a block of eight free pages, on a CPU's list, and on none.
  set(128, "page_type", 0xffff_ff7f);
  set(128, "private", 3n);
  const lru = (index: number) => guest.at("page", page(index), "lru");
  guest.link(guest.allocate(16), lru(128));
  guest.link(lru(200), lru(201));
  assert.deepEqual(kinds(128, 131, 135, 136, 200, 201, 202), [
    "free",
    "free",
    "free",
    "kernel",
    "free",
    "free",
    "kernel",
  ]);
  set(131, "_refcount", 1);
  assert.deepEqual(kinds(131), ["kernel"]);
});

Deno.test("no single word of a page says that it is a file's, a process's or free", () => {
  const { guest, slab, page, cache } = slabGuest();
  const kind = (index: number) =>
    new PageUses(guest.kernel).at(index * 4096).kind;
  const inode = guest.create("inode");
  const data = guest.at("inode", inode, "i_data");
  guest.setU64(data + 8n, inode);
  const name = guest.u64(guest.at("kmem_cache", cache, "name"));
  new TextEncoder().encode("anon_vma\0").forEach((byte, i) =>
    guest.view.setUint8(guest.gpa(name) + i, byte)
  );
  // The pages of an allocation behind its first one have no references.
  for (const [index, references] of [[140, 1], [141, 0]] as const) {
    guest.setU32(guest.at("page", page(index), "_refcount"), references);
    for (
      const [member, value] of [
        ["mapping", data],
        ["mapping", slab + 1n],
        ["flags", UPTODATE],
        ["flags", SWAPBACKED],
        ["page_type", 0xffff_ff7fn],
        ["private", 10n],
        ["lru", slab],
      ] as const
    ) {
      const at = guest.at("page", page(index), member);
      const before = guest.u64(at);
      if (member === "page_type") guest.setU32(at, Number(value));
      else guest.setU64(at, value);
      assert.equal(kind(index), "kernel", `${member} of ${index}`);
      guest.setU64(at, before);
    }
  }
});

Deno.test("a list of free objects that is led to one in use frees nothing", () => {
  const { guest, slab, cache, page, index, free: count } = slabGuest();
  const is = (gva: bigint) =>
    new PageUses(guest.kernel).at(guest.gpa(gva)).object?.free;
  const [first, used] = [slab + 512n, slab + 1024n];
  const list = guest.at("slab", page(index), "freelist");
  guest.setU64(list, first);
  guest.setU64(first + 128n, hardened(0n, first + 128n));
  count(1);
  assert.equal(is(first), true);
  // The object in use holds what no list ends with.
  guest.setU64(list, used);
  assert.equal(is(used), false);
  guest.setU64(used + 128n, hardened(slab + 7n, used + 128n));
  assert.equal(is(used), false);
  guest.setU64(used + 128n, hardened(slab - 256n, used + 128n));
  assert.equal(is(used), false);
  // The same by the list of a CPU, which nobody counts.
  guest.setU64(list, 0n);
  count(0);
  const cpu = guest.create("kmem_cache_cpu");
  guest.setU64(guest.at("kmem_cache", cache, "cpu_slab"), cpu - CPU);
  guest.setU64(guest.at("kmem_cache_cpu", cpu, "slab"), page(index));
  const own = guest.at("kmem_cache_cpu", cpu, "freelist");
  guest.setU64(own, first);
  assert.equal(is(first), true);
  guest.setU64(own, used);
  assert.equal(is(used), false);
  guest.setU64(own, first);
  guest.setU64(first + 128n, hardened(used, first + 128n));
  assert.deepEqual([first, used].map(is), [false, false]);
});

Deno.test("a size of objects that is too large frees none of them", () => {
  const { guest, slab, cache, page, index, free: count } = slabGuest();
  guest.setU64(guest.at("slab", page(index), "freelist"), slab + 512n);
  guest.setU64(slab + 512n + 128n, hardened(0n, slab + 512n + 128n));
  count(1);
  const is = (gva: bigint) =>
    new PageUses(guest.kernel).at(guest.gpa(gva)).object?.free;
  assert.deepEqual([is(slab + 512n), is(slab + 768n)], [true, false]);
  guest.setU32(guest.at("kmem_cache", cache, "size"), 2 * SIZE);
  assert.deepEqual([is(slab + 512n), is(slab + 768n)], [true, false]);
});

Deno.test("a page is no part of an allocation because it names its first page", () => {
  const { guest, page } = slabGuest();
  // A page of a file, in an allocation of two.
  const inode = guest.create("inode");
  const data = guest.at("inode", inode, "i_data");
  guest.setU64(data + 8n, inode);
  const at = (index: number, member: string) =>
    guest.at("page", page(index), member);
  guest.setU64(at(144, "mapping"), data);
  guest.setU64(at(144, "flags"), UPTODATE | HEAD);
  guest.setU64(at(145, "compound_head"), page(144) + 1n);
  // What lies behind it is another's: one page, and two.
  guest.setU32(at(146, "_refcount"), 1);
  const kinds = () => {
    const uses = new PageUses(guest.kernel);
    return [145, 146, 147].map((index) => uses.at(index * 4096).kind);
  };
  assert.deepEqual(kinds(), ["mapped", "kernel", "kernel"]);
  for (const index of [146, 147]) {
    for (const first of [144, 145]) {
      guest.setU64(at(index, "compound_head"), page(first) + 1n);
      assert.deepEqual(kinds(), ["mapped", "kernel", "kernel"]);
    }
    guest.setU64(at(index, "compound_head"), 0n);
  }
  guest.setU64(at(144, "flags"), UPTODATE);
  assert.deepEqual(kinds(), ["kernel", "kernel", "kernel"]);
});

Deno.test("a page whose mapping leads to itself ends", () => {
  const { guest, page } = slabGuest();
  const own = DIRECT_MAP + 130n * 4096n;
  guest.setU64(guest.at("page", page(130), "mapping"), own + 1n);
  guest.setU32(guest.at("page", page(130), "_refcount"), 1);
  assert.equal(new PageUses(guest.kernel).at(130 * 4096).kind, "kernel");
});
