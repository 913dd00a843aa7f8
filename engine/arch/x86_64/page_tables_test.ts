import assert from "node:assert/strict";
import { Budget } from "../../base/budget.ts";
import { MemoryError } from "../../base/errors.ts";
import { AddressSpace } from "../../memory/address_space.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import { X86PageTables } from "./page_tables.ts";
import { PageTableBuilder } from "./page_tables_fixture.ts";

const KIB4 = 4096;
const MIB2 = 2 << 20;
const GIB1 = 2 ** 30;
const TEXT = 0xffffffff81000000n;
const DIRECT = 0xffff888000000000n;
const VMALLOC = 0xffffc90000000000n;

/**
 * 4 MiB of RAM whose bytes encode their own position, with page tables at 2
 * MiB.
 */
function guest(levels: 4 | 5) {
  const bytes = new Uint8Array(4 << 20);
  for (let i = 0; i < MIB2; i++) bytes[i] = i * 7 + (i >> 8) * 13;
  const tables = new PageTableBuilder(bytes, levels, MIB2);
  const memory = new BufferMemory(bytes);
  return {
    bytes,
    tables,
    space: () => new AddressSpace(tables.over(memory)),
  };
}

for (const levels of [4, 5] as const) {
  Deno.test(`${levels} levels: pages of 4 KiB, 2 MiB and 1 GiB`, () => {
    const { tables, space, bytes } = guest(levels);
    tables.map(VMALLOC, 0x5000n, KIB4);
    tables.map(TEXT, 0n, MIB2);
    tables.map(DIRECT, 0n, GIB1);
    const s = space();
    assert.deepEqual(s.translate(VMALLOC + 0x123n), {
      gpa: 0x5123,
      left: KIB4 - 0x123,
      pageSize: KIB4,
    });
    assert.deepEqual(s.translate(TEXT + 0x12345n), {
      gpa: 0x12345,
      left: MIB2 - 0x12345,
      pageSize: MIB2,
    });
    // Twice: the second result comes from the cache.
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(s.translate(DIRECT + 0x3fffffffn), {
        gpa: 0x3fffffff,
        left: 1,
        pageSize: GIB1,
      });
      assert.equal(s.translate(DIRECT + 0x200123n).gpa, 0x200123);
    }
    assert.equal(s.u8(TEXT + 0x777n), bytes[0x777]);
  });

  Deno.test(`${levels} levels: an unmapped address is refused and named`, () => {
    const { tables, space } = guest(levels);
    tables.map(VMALLOC, 0x5000n, KIB4);
    const s = space();
    for (
      const gva of [
        VMALLOC + 4096n,
        VMALLOC - 1n,
        VMALLOC + 0x200000n,
        VMALLOC + (1n << 30n),
        VMALLOC + (1n << 39n),
        0n,
        0xffffffffffffffffn,
      ]
    ) {
      assert.equal(s.tryTranslate(gva), undefined, `0x${gva.toString(16)}`);
      assert.throws(() => s.translate(gva), (error) => {
        assert.ok(error instanceof MemoryError);
        assert.equal(error.layer, "paging");
        assert.equal(error.address, gva);
        return true;
      });
    }
  });
}

Deno.test("addresses that differ with 5 levels are the same with 4 levels", () => {
  const { tables, space } = guest(5);
  const low = 0x0000_7000_0000_0000n;
  tables.map(low, 0x1000n, KIB4);
  tables.map(low | (1n << 48n), 0x2000n, KIB4);
  const s = space();
  assert.equal(s.translate(low).gpa, 0x1000);
  assert.equal(s.translate(low | (1n << 48n)).gpa, 0x2000);
});

Deno.test("flag bits in an entry do not change the page's address", () => {
  const { tables, space } = guest(4);
  // NX, protection keys and, in a huge entry, PAT (bit 12).
  const flags = (1n << 63n) | (0xfn << 59n) | 0x7n << 52n;
  tables.map(VMALLOC, 0x5000n, KIB4, flags | 0xe60n);
  tables.map(TEXT, 0n, MIB2, flags | 1n << 12n);
  const s = space();
  assert.equal(s.translate(VMALLOC).gpa, 0x5000);
  assert.equal(s.translate(TEXT + 5n).gpa, 5);
});

Deno.test("a page above 4 GiB", () => {
  const { tables, space } = guest(4);
  tables.map(VMALLOC, 0x12_3456_7000n, KIB4);
  assert.equal(space().translate(VMALLOC + 8n).gpa, 0x12_3456_7008);
  assert.throws(() => space().u64(VMALLOC), MemoryError);
});

Deno.test("a table outside RAM is an error, not a hole", () => {
  const memory = new BufferMemory(new Uint8Array(8192));
  assert.throws(
    () => new X86PageTables(memory, 0x7fff_f000, 4).tryTranslate(0n),
    MemoryError,
  );
});

Deno.test("small pages are looked up each time, since vmalloc mappings change", () => {
  const { tables, space } = guest(4);
  tables.map(VMALLOC, 0x5000n, KIB4);
  const s = space();
  assert.equal(s.translate(VMALLOC).gpa, 0x5000);
  tables.map(VMALLOC, 0x9000n, KIB4);
  assert.equal(s.translate(VMALLOC).gpa, 0x9000);
});

Deno.test("the executable ranges, and what is mapped in a region", () => {
  const NX = 1n << 63n;
  for (const levels of [4, 5] as const) {
    const { tables, bytes } = guest(levels);
    const region = { start: VMALLOC + 0x10000n, end: VMALLOC + 0x20000n };
    tables.map(DIRECT, 0n, GIB1, NX);
    tables.map(TEXT, 0n, MIB2);
    tables.map(TEXT + BigInt(MIB2), 0n, MIB2);
    tables.map(TEXT + BigInt(2 * MIB2), 0n, MIB2, NX);
    // Executable, but outside the region.
    tables.map(VMALLOC, 0x5000n, KIB4);
    for (const page of [0x10n, 0x11n, 0x14n]) {
      tables.map(VMALLOC + (page << 12n), 0x5000n, KIB4, NX);
    }
    // User space is not part of the kernel's half.
    tables.map(0x7000_0000_0000n, 0x5000n, KIB4);
    const found = tables.over(new BufferMemory(bytes)).mappings(region);
    assert.deepEqual(found, {
      executable: [
        { start: VMALLOC, end: VMALLOC + 0x1000n, writable: true },
        { start: TEXT, end: TEXT + BigInt(2 * MIB2), writable: true },
      ],
      inRegion: [
        { start: VMALLOC + 0x10000n, end: VMALLOC + 0x12000n, writable: true },
        { start: VMALLOC + 0x14000n, end: VMALLOC + 0x15000n, writable: true },
      ],
      unread: 0,
    });
  }
});

Deno.test("unreadable tables are counted; without the top one, nothing is known", () => {
  const { tables, bytes } = guest(4);
  tables.map(TEXT, 0n, MIB2);
  const whole = new BufferMemory(bytes);
  // Entry 400 points to a table beyond the end of RAM.
  new DataView(bytes.buffer).setBigUint64(
    tables.root + 400 * 8,
    0x7fff_f003n,
    true,
  );
  const region = { start: VMALLOC, end: VMALLOC + 1n };
  const found = tables.over(whole).mappings(region);
  assert.equal(found.unread, 1);
  assert.equal(found.executable.length, 1);
  assert.throws(
    () => new X86PageTables(whole, 0x7fff_f000, 4).mappings(region),
    MemoryError,
  );
});

Deno.test("a table entry without write permission makes everything below it read-only", () => {
  const { tables, bytes } = guest(4);
  tables.map(TEXT, 0n, MIB2);
  const view = new DataView(bytes.buffer);
  const at = tables.root + 511 * 8;
  view.setBigUint64(at, view.getBigUint64(at, true) & ~2n, true);
  const { executable } = tables.over(new BufferMemory(bytes))
    .mappings({ start: 0n, end: 0n });
  assert.deepEqual(executable.map(({ writable }) => writable), [false]);
});

Deno.test("a table that is its own 512 children is walked once a level", () => {
  const bytes = new Uint8Array(0x4000);
  const words = new BigUint64Array(bytes.buffer);
  // The root's upper half leads to a table that leads to itself.
  words.fill(0x2003n, 0x1000 / 8 + 256, 0x2000 / 8);
  words.fill(0x2003n, 0x2000 / 8, 0x3000 / 8);
  const region = { start: 0xffffffffc0000000n, end: 0xffffffffff000000n };
  for (const levels of [4, 5] as const) {
    const { executable, unread } = new X86PageTables(
      new BufferMemory(bytes),
      0x1000,
      levels,
    ).mappings(region);
    assert.ok(unread > 500);
    assert.ok(executable.length < 4);
  }
});

Deno.test("the budget ends a walk of tables that map too much", () => {
  const bytes = new Uint8Array(0x4000);
  const words = new BigUint64Array(bytes.buffer);
  words.fill(0x2003n, 0x1000 / 8 + 256, 0x2000 / 8);
  words.fill(0x2003n, 0x2000 / 8, 0x3000 / 8);
  const budget = new Budget();
  const limits = { of: "it", reads: 1, bytes: 1, nodes: 100, ms: Infinity };
  const { ended } = budget.within(limits, () => {
    new X86PageTables(new BufferMemory(bytes), 0x1000, 4)
      .mappings({ start: 0n, end: 2n ** 64n }, budget);
  });
  assert.equal(ended?.unit, "nodes");
});
