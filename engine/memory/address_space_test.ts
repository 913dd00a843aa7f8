import assert from "node:assert/strict";
import fc from "fast-check";
import { BudgetError } from "../base/budget.ts";
import { KernelError, MemoryError } from "../base/errors.ts";
import { AddressSpace } from "./address_space.ts";
import { BufferMemory } from "./buffer_memory_fixture.ts";
import { PageTableBuilder } from "../arch/x86_64/page_tables_fixture.ts";

const KIB4 = 4096;
const MIB2 = 2 << 20;
const VMALLOC = 0xffffc90000000000n;

/**
 * 4 MiB of RAM whose bytes encode their own position, with page tables at 2
 * MiB.
 */
function guest() {
  const bytes = new Uint8Array(4 << 20);
  for (let i = 0; i < MIB2; i++) bytes[i] = i * 7 + (i >> 8) * 13;
  const tables = new PageTableBuilder(bytes, 4, MIB2);
  const memory = new BufferMemory(bytes);
  return {
    bytes,
    tables,
    space: () => new AddressSpace(tables.over(memory)),
  };
}

Deno.test("reads span pages that are not adjacent in physical memory", () => {
  const { tables, space, bytes } = guest();
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

Deno.test("strings span pages and end where the mapping ends", () => {
  const { tables, space, bytes } = guest();
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
  // Nothing is mapped after the second page.
  assert.equal(s.string(VMALLOC + 8189n, 100), "bbb");
  bytes.set(new TextEncoder().encode("größe\0"), 0x9ffd);
  bytes.set(new TextEncoder().encode("größe\0").subarray(3), 0x3000);
  assert.equal(s.string(VMALLOC + 4093n), "größe");
  assert.throws(() => s.string(VMALLOC + 8192n), MemoryError);
});

Deno.test("a size that nothing in memory has is one clear error", () => {
  const { tables, space } = guest();
  tables.map(VMALLOC, 0x9000n, KIB4);
  const s = space();
  for (const size of [-1, 0.5, NaN, 2 ** 30, 2 ** 53, Infinity]) {
    for (
      const read of [
        () => s.bytes(VMALLOC, size),
        () => s.string(VMALLOC, size),
      ]
    ) {
      assert.throws(
        read,
        (error) =>
          error instanceof KernelError &&
          /lies at 0xffffc90000000000 claims to have/.test(error.message),
        `${size}`,
      );
    }
  }
  assert.equal(s.bytes(VMALLOC, 0).length, 0);
});

Deno.test("the bytes of strings are taken from the budget", () => {
  const { bytes, tables, space } = guest();
  tables.map(VMALLOC, 0x9000n, KIB4);
  bytes.fill(0x61, 0x9000, 0xa000);
  const s = space();
  s.budget.allow({
    of: "one test",
    reads: 1000,
    bytes: 10_000,
    nodes: 0,
    ms: Infinity,
  });
  s.string(VMALLOC, 4096);
  s.string(VMALLOC, 4096);
  assert.throws(() => s.string(VMALLOC, 4096), BudgetError);
});
