import assert from "node:assert/strict";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import { PageTableBuilder } from "./page_tables_fixture.ts";

const TEXT = 0xffffffff81000000n;
const DIRECT = 0xffff888000000000n;
const MIB2 = 0x200000;
const NX = 1n << 63n;

/** Two sets of tables that map the same, each with tables of its own. */
function pair(levels: 4 | 5 = 4) {
  const bytes = new Uint8Array(0x80000);
  const own = new PageTableBuilder(bytes, levels, 0x1000);
  const other = new PageTableBuilder(bytes, levels, 0x40000);
  for (const each of [own, other]) {
    each.map(TEXT, 0x1000000n, MIB2);
    each.map(TEXT + 0x200000n, 0x1200000n, 4096);
    each.map(DIRECT, 0n, MIB2, NX);
  }
  const memory = new BufferMemory(bytes);
  return {
    bytes,
    own,
    other,
    compare: (top?: Uint8Array) =>
      own.over(memory).compareKernelHalf({
        root: other.root,
        ...(top === undefined ? {} : { top }),
      }),
  };
}

const SAME = { elsewhere: [], missing: [], extra: [], whole: true };

Deno.test("tables that map the same agree, however they are built", () => {
  for (const levels of [4, 5] as const) {
    const { own, other, compare } = pair(levels);
    assert.deepEqual(compare(), SAME);
    // The same page as one of 2 MiB here, and as one of 4 KiB there.
    own.map(TEXT + 0x400000n, 0x1400000n, MIB2);
    for (let page = 0n; page < 512n; page++) {
      const at = 0x400000n + page * 4096n;
      other.map(TEXT + at, 0x1000000n + at, 4096);
    }
    assert.deepEqual(compare(), SAME);
  }
});

Deno.test("a page that lies elsewhere, is missing, or is more", () => {
  const { own, other, compare } = pair();
  other.map(TEXT + 0x200000n, 0x1300000n, 4096);
  own.map(TEXT + 0x201000n, 0x1201000n, 4096);
  other.map(TEXT + 0x202000n, 0x1202000n, 4096);
  other.map(TEXT + 0x203000n, 0x1203000n, 4096);
  assert.deepEqual(compare(), {
    elsewhere: [{
      gva: TEXT + 0x200000n,
      own: 0x1200000,
      other: 0x1300000,
      executable: true,
    }],
    missing: [{ start: TEXT + 0x201000n, end: TEXT + 0x202000n }],
    extra: [{ start: TEXT + 0x202000n, end: TEXT + 0x204000n }],
    whole: true,
  });
});

Deno.test("a page that may be executed only through the other tables", () => {
  const { other, compare } = pair();
  other.map(DIRECT, 0n, MIB2);
  const [difference, ...more] = compare().elsewhere;
  assert.deepEqual(more, []);
  assert.deepEqual(difference, {
    gva: DIRECT,
    own: 0,
    other: 0,
    executable: true,
  });
});

Deno.test("a process's own LDT is no difference; user memory is not compared", () => {
  const { other, compare } = pair();
  other.map(0xffff880000010000n, 0x5000n, 4096);
  other.map(0x400000n, 0x6000n, 4096);
  assert.deepEqual(compare(), SAME);
});

Deno.test("a copy of the top-level table is used in place of what lies there now", () => {
  const { bytes, other, compare } = pair();
  const top = bytes.slice(other.root, other.root + 4096);
  bytes.fill(0xff, other.root, other.root + 4096);
  assert.deepEqual(compare(top), SAME);
  assert.notDeepEqual(compare(), SAME);
});

Deno.test("tables outside of RAM, and tables that lead to themselves, end", () => {
  const { bytes, own, other, compare } = pair();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(other.root + 8 * 300, 0xfff000003n, true);
  view.setBigUint64(own.root + 8 * 300, 0xffe000003n, true);
  assert.equal(compare().whole, false);
  for (const { root } of [own, other]) {
    for (let i = 256; i < 512; i++) {
      view.setBigUint64(root + 8 * i, BigInt(root) | 3n, true);
    }
  }
  const { elsewhere, whole } = compare();
  assert.ok(!whole || elsewhere.length > 0);
});
