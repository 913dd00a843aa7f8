import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryError } from "../base/errors.ts";
import { AddressSpace } from "./address_space.ts";
import { BufferMemory } from "./buffer_memory.ts";
import { PageTables } from "./page_tables_fixture.ts";

const KIB4 = 4096;
const MIB2 = 2 << 20;
const GIB1 = 2 ** 30;
const TEXT = 0xffffffff81000000n;
const DIRECT = 0xffff888000000000n;
const VMALLOC = 0xffffc90000000000n;

/** 4 MiB of RAM whose bytes tell their place, with tables at 2 MiB. */
function guest(levels: 4 | 5) {
  const bytes = new Uint8Array(4 << 20);
  for (let i = 0; i < MIB2; i++) bytes[i] = i * 7 + (i >> 8) * 13;
  const tables = new PageTables(bytes, levels, MIB2);
  const memory = new BufferMemory(bytes);
  return {
    bytes,
    tables,
    space: () => new AddressSpace(memory, tables.cr3, levels),
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
    // Twice: the second answer is a remembered one.
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

  Deno.test(`${levels} levels: what is not mapped is refused, and named`, () => {
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

Deno.test("5 levels tell addresses apart that 4 levels take for one", () => {
  const { tables, space } = guest(5);
  const low = 0x0000_7000_0000_0000n;
  tables.map(low, 0x1000n, KIB4);
  tables.map(low | (1n << 48n), 0x2000n, KIB4);
  const s = space();
  assert.equal(s.translate(low).gpa, 0x1000);
  assert.equal(s.translate(low | (1n << 48n)).gpa, 0x2000);
});

Deno.test("flags around the address do not move the page", () => {
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

Deno.test("a table outside of RAM is an error, not a hole", () => {
  const memory = new BufferMemory(new Uint8Array(8192));
  assert.throws(
    () => new AddressSpace(memory, 0x7fff_f000, 4).tryTranslate(0n),
    MemoryError,
  );
});

Deno.test("small pages are looked up anew, so that vmalloc may change", () => {
  const { tables, space } = guest(4);
  tables.map(VMALLOC, 0x5000n, KIB4);
  const s = space();
  assert.equal(s.translate(VMALLOC).gpa, 0x5000);
  tables.map(VMALLOC, 0x9000n, KIB4);
  assert.equal(s.translate(VMALLOC).gpa, 0x9000);
});

Deno.test("reads go across pages that lie apart", () => {
  const { tables, space, bytes } = guest(4);
  const gpas = [0x9000, 0x3000, 0x20000, 0x1000];
  gpas.forEach((gpa, i) =>
    tables.map(VMALLOC + BigInt(i * KIB4), BigInt(gpa), KIB4)
  );
  const s = space();
  const flat = new Uint8Array(gpas.length * KIB4);
  gpas.forEach((gpa, i) => flat.set(bytes.subarray(gpa, gpa + KIB4), i * KIB4));
  fc.assert(fc.property(
    fc.nat(flat.length),
    fc.nat(flat.length),
    (a, b) => {
      const start = Math.min(a, b);
      const end = Math.max(a, b);
      assert.deepEqual(
        s.bytes(VMALLOC + BigInt(start), end - start),
        flat.slice(start, end),
      );
    },
  ));
  const view = new DataView(flat.buffer);
  for (let at = KIB4 - 8; at <= KIB4; at++) {
    const gva = VMALLOC + BigInt(at);
    assert.equal(s.u16(gva), view.getUint16(at, true));
    assert.equal(s.u32(gva), view.getUint32(at, true));
    assert.equal(s.s32(gva), view.getInt32(at, true));
    assert.equal(s.u64(gva), view.getBigUint64(at, true));
  }
  assert.throws(
    () => s.bytes(VMALLOC + BigInt(flat.length - 4), 8),
    MemoryError,
  );
});

Deno.test("strings go across pages and end where memory ends", () => {
  const { tables, space, bytes } = guest(4);
  tables.map(VMALLOC, 0x9000n, KIB4);
  tables.map(VMALLOC + 4096n, 0x3000n, KIB4);
  bytes.fill(0x61, 0x9000, 0xa000);
  bytes.fill(0x62, 0x3000, 0x4000);
  const s = space();
  const across = VMALLOC + 4090n;
  bytes[0x3003] = 0;
  assert.equal(s.string(across), "aaaaaabbb");
  bytes[0x3003] = 0x62;
  assert.equal(s.string(across, 8), "aaaaaabb");
  assert.equal(s.string(across, 300), "aaaaaa" + "b".repeat(294));
  // Nothing is mapped behind the second page.
  assert.equal(s.string(VMALLOC + 8189n, 100), "bbb");
  bytes.set(new TextEncoder().encode("größe\0"), 0x9ffd);
  bytes.set(new TextEncoder().encode("größe\0").subarray(3), 0x3000);
  assert.equal(s.string(VMALLOC + 4093n), "größe");
  assert.throws(() => s.string(VMALLOC + 8192n), MemoryError);
});
