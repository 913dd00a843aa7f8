import assert from "node:assert/strict";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { AT, thingGuest } from "./view_fixture.ts";

const at = (gva: bigint, member: keyof typeof AT) => gva + BigInt(AT[member]);

/** A guest with `count` things, numbered in `u64`, and its kernel. */
function things(count: number) {
  const { fixture, kernel } = thingGuest();
  const all = Array.from({ length: count }, (_, i) => {
    const gva = fixture.create("thing");
    fixture.setU64(at(gva, "u64"), BigInt(i));
    return gva;
  });
  return { fixture, kernel: kernel(), all };
}

Deno.test("lists", () => {
  const { fixture, kernel, all } = things(4);
  const head = fixture.create("list_head");
  const ring = [head, ...all.map((gva) => at(gva, "link"))] as const;
  fixture.link(...ring);
  const list = kernel.object("list_head", head);
  const walk = (limit?: number) =>
    [
      ...list.$list("thing", "link", limit === undefined ? {} : { limit }),
    ].map((thing) => thing.u64);
  assert.deepEqual(walk(), [0n, 1n, 2n, 3n]);
  assert.deepEqual(walk(4), [0n, 1n, 2n, 3n]);
  assert.throws(
    () => walk(3),
    /the list of struct thing by link at 0x[0-9a-f]+ does not end within 3 entries/,
  );
  // The last one leads back to the second: the walk never returns to the head.
  fixture.setU64(ring[4], ring[2]);
  assert.throws(
    () => walk(),
    /the list of struct thing by link at .* runs in circles/,
  );
  fixture.setU64(ring[4], 0x10n);
  assert.throws(() => walk(), MemoryError);
  assert.throws(
    () => [...list.$list("thing", "absent")],
    /struct thing of this kernel has no member absent/,
  );
  assert.throws(
    () => kernel.object("thing", all[0]).$list("thing", "link"),
    /struct thing is no struct list_head: the walk is a function of the member/,
  );
});

Deno.test("hash chains, including those that end with an odd value", () => {
  const { fixture, kernel, all } = things(3);
  const head = fixture.create("hlist_head");
  const nodes = all.map((gva) => at(gva, "hnode"));
  fixture.setU64(head, nodes[0]);
  fixture.setU64(nodes[0], nodes[1]);
  fixture.setU64(nodes[1], nodes[2]);
  const walk = () =>
    [...kernel.object("hlist_head", head).$hlist("thing", "hnode")]
      .map((thing) => thing.u64);
  assert.deepEqual(walk(), [0n, 1n, 2n]);
  fixture.setU64(nodes[2], 0x21n);
  assert.deepEqual(walk(), [0n, 1n, 2n]);
  fixture.setU64(nodes[2], nodes[1]);
  assert.throws(walk, /hash chain of struct thing by hnode .* in circles/);
});

Deno.test("red-black trees in tree order", () => {
  const { fixture, kernel, all } = things(7);
  const root = fixture.create("rb_root");
  const nodes = all.map((gva) => at(gva, "node"));
  // A balanced tree: 3 above 1 and 5, these above the even numbers.
  const link = (parent: number, left: number, right: number) => {
    fixture.setU64(nodes[parent] + 16n, nodes[left]);
    fixture.setU64(nodes[parent] + 8n, nodes[right]);
  };
  fixture.setU64(root, nodes[3]);
  link(3, 1, 5);
  link(1, 0, 2);
  link(5, 4, 6);
  const walk = () =>
    [...kernel.object("rb_root", root).$rbtree("thing", "node")]
      .map((thing) => thing.u64);
  assert.deepEqual(walk(), [0n, 1n, 2n, 3n, 4n, 5n, 6n]);
  fixture.setU64(nodes[6] + 8n, nodes[3]);
  assert.throws(walk, /red-black tree of struct thing by node .* in circles/);
});

Deno.test("XArrays and IDRs, several levels deep", () => {
  const { fixture, kernel, all } = things(4);
  const top = fixture.allocate(16 + 64 * 8);
  const leaf = fixture.allocate(16 + 64 * 8);
  const slot = (node: bigint, i: number) => node + 16n + BigInt(8 * i);
  fixture.bytes[fixture.gpa(top)] = 6;
  fixture.setU64(slot(top, 0), all[0]);
  fixture.setU64(slot(top, 2), leaf + 2n);
  fixture.setU64(slot(leaf, 1), all[1]);
  fixture.setU64(slot(leaf, 63), all[2]);
  // A value entry, and the mark of an empty slot.
  fixture.setU64(slot(leaf, 5), (9n << 1n) | 1n);
  fixture.setU64(slot(leaf, 6), 0x406n);
  const idr = fixture.create("idr");
  fixture.setU64(idr + 8n, top + 2n);
  fixture.setU32(idr + 16n, 100);
  const entries = (gva: bigint, type: "xarray" | "idr") =>
    [...kernel.object(type, gva).$xarray("thing")]
      .map(({ index, object }) => [index, object.u64]);
  assert.deepEqual(entries(idr, "xarray"), [[0, 0n], [129, 1n], [191, 2n]]);
  assert.deepEqual(entries(idr, "idr"), [[100, 0n], [229, 1n], [291, 2n]]);
  // A single entry without a node.
  fixture.setU64(idr + 8n, all[3]);
  assert.deepEqual(entries(idr, "xarray"), [[0, 3n]]);
  // A node that contains itself.
  fixture.setU64(idr + 8n, top + 2n);
  fixture.setU64(slot(leaf, 7), top + 2n);
  assert.throws(
    () => entries(idr, "xarray"),
    /XArray of struct thing at .* in circles/,
  );
});

const LEAF = 1n << 3n;
const ARANGE = 3n << 3n;

Deno.test("maple trees: ranges, gaps, partly filled nodes", () => {
  const { fixture, kernel, all } = things(3);
  const node = () => fixture.allocate(256, 256);
  const [top, low, high] = [node(), node(), node()];
  const tree = fixture.create("maple_tree");
  const pivot = (gva: bigint, i: number) => gva + 8n + BigInt(8 * i);
  const leafSlot = (gva: bigint, i: number) => gva + 128n + BigInt(8 * i);
  fixture.setU64(tree + 8n, top | ARANGE | 2n);
  fixture.setU64(pivot(top, 0), 0xfffn);
  fixture.setU64(top + 80n, low | LEAF | 4n);
  fixture.setU64(top + 88n, high | LEAF | 4n);
  // The lower node: empty up to 0xff, a thing up to 0x1ff, empty to its end.
  fixture.setU64(pivot(low, 0), 0xffn);
  fixture.setU64(pivot(low, 1), 0x1ffn);
  fixture.setU64(leafSlot(low, 1), all[0]);
  fixture.setU64(pivot(low, 2), 0xfffn);
  // The upper node: two adjacent things, then nothing: its third pivot is 0.
  fixture.setU64(pivot(high, 0), 0x1fffn);
  fixture.setU64(leafSlot(high, 0), all[1]);
  fixture.setU64(pivot(high, 1), 0x2fffn);
  fixture.setU64(leafSlot(high, 1), all[2]);
  const walk = () =>
    [...kernel.object("maple_tree", tree).$maple("thing")]
      .map(({ first, last, object }) => [first, last, object.u64]);
  assert.deepEqual(walk(), [
    [0x100n, 0x1ffn, 0n],
    [0x1000n, 0x1fffn, 1n],
    [0x2000n, 0x2fffn, 2n],
  ]);
  // Marks and values are not pointers.
  fixture.setU64(leafSlot(low, 1), 0x406n);
  assert.equal(walk().length, 2);
  // A node that has been replaced is its own parent.
  fixture.setU64(high, high | 1n);
  assert.throws(walk, /maple tree of struct thing at .* in circles/);
  fixture.setU64(high, 0n);
  fixture.setU64(top + 88n, top | ARANGE | 4n);
  assert.throws(walk, KernelError);
  // An empty tree, and one with a single entry.
  fixture.setU64(tree + 8n, 0n);
  assert.deepEqual(walk(), []);
  fixture.setU64(tree + 8n, all[0]);
  assert.deepEqual(walk(), [[0n, 0n, 0n]]);
});
