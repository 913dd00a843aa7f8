import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "./kernel_fixture.ts";
import { hlistNodes, listNodes, rbNodes, steady } from "./lists.ts";

/** LIST_POISON2 of include/linux/poison.h, on x86-64. */
const POISON = 0xdead_0000_0000_0122n;

/** A guest, and some places for nodes. */
function places(count: number): { guest: FixtureGuest; at: bigint[] } {
  const guest = new FixtureGuest(fixtureTypes({}));
  return { guest, at: Array.from({ length: count }, () => guest.allocate(24)) };
}

/** A list of five nodes behind its head. */
function list() {
  const { guest, at } = places(6);
  guest.link(at[0], ...at.slice(1));
  const walk = () => listNodes(guest.kernel, at[0]);
  return { guest, at, walk };
}

Deno.test("a next that is led past nodes of a list is seen, wherever they are", () => {
  for (let from = 0; from < 6; from++) {
    for (let past = 1; past < 6 - from; past++) {
      const { guest, at, walk } = list();
      assert.deepEqual(walk(), at.slice(1));
      guest.setU64(at[from], at[(from + past + 1) % 6]);
      assert.throws(walk, KernelError, `${past} behind ${from}`);
      assert.throws(walk, /passes some of its entries over/);
    }
  }
});

Deno.test("a list that is emptied by its head alone is not empty", () => {
  const { guest, at, walk } = list();
  guest.setU64(at[0], at[0]);
  assert.throws(walk, /passes some/);
  guest.setU64(at[0] + 8n, at[0]);
  assert.deepEqual(walk(), []);
});

Deno.test("a prev of another moment, or a poisoned one, hides nothing", () => {
  for (const prev of [POISON, 0n, 1n]) {
    for (const node of [0, 2, 5]) {
      const { guest, at, walk } = list();
      guest.setU64(at[node] + 8n, prev);
      assert.deepEqual(walk(), at.slice(1));
    }
  }
  // The second was taken off; the third is of the moment before.
  const { guest, at, walk } = list();
  guest.setU64(at[1], at[3]);
  guest.setU64(at[2], POISON);
  guest.setU64(at[2] + 8n, POISON);
  assert.deepEqual(walk(), [at[1], ...at.slice(3)]);
});

Deno.test("a list that is read while a node comes onto it is read again", () => {
  const { guest, at, walk } = list();
  guest.setU64(at[1], at[3]);
  let tries = 0;
  const nodes = steady(() => {
    if (++tries === 3) guest.setU64(at[1], at[2]);
    return walk();
  });
  assert.deepEqual([nodes, tries], [at.slice(1), 3]);
});

/** A hash chain of four nodes. */
function chain() {
  const { guest, at } = places(5);
  at.forEach((node, i) => {
    guest.setU64(node, at[i + 1] ?? 0n);
    if (i > 0) guest.setU64(node + 8n, at[i - 1]);
  });
  return { guest, at, walk: () => hlistNodes(guest.kernel, at[0]) };
}

Deno.test("a hash chain that passes nodes over is seen", () => {
  for (let from = 0; from < 3; from++) {
    const { guest, at, walk } = chain();
    assert.deepEqual(walk(), at.slice(1));
    guest.setU64(at[from], at[from + 2]);
    assert.throws(walk, /the hash chain .* passes some of its entries over/);
  }
  const { guest, at, walk } = chain();
  guest.setU64(at[2] + 8n, POISON);
  assert.deepEqual(walk(), at.slice(1));
});

Deno.test("a tree that passes nodes over is seen", () => {
  const tree = () => {
    const { guest, at } = places(5);
    const [root, top, left, right, low] = at;
    // struct rb_node { __rb_parent_color, rb_right, rb_left }; 1: black.
    const node = (gva: bigint, words: bigint[]) =>
      words.forEach((word, i) => guest.setU64(gva + BigInt(8 * i), word));
    guest.setU64(root, top);
    node(top, [1n, right, left]);
    node(left, [top | 1n, 0n, low]);
    node(right, [top | 1n, 0n, 0n]);
    node(low, [left, 0n, 0n]);
    return { guest, at, walk: () => rbNodes(guest.kernel, root) };
  };
  const { at: [, top, left, right, low], walk } = tree();
  assert.deepEqual(walk(), [low, left, top, right]);
  const past = (which: number, offset: bigint, to: number) => {
    const { guest, at, walk } = tree();
    guest.setU64(at[which] + offset, at[to]);
    assert.throws(walk, /the tree .* passes some of its entries over/);
  };
  past(0, 0n, 2);
  past(0, 0n, 3);
  past(1, 16n, 4);
});
