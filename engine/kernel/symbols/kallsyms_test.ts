import assert from "node:assert/strict";
import fc from "fast-check";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { times } from "../../base/long_fixture.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { ReadGva } from "../../memory/guest_reader.ts";
import { expandKallsyms, readKallsyms } from "./kallsyms.ts";
import {
  encodeImage,
  type FixtureImage,
  fixtureSymbols,
  LAYOUTS,
  RODATA,
} from "./kallsyms_fixture.ts";
import { findKallsyms } from "../locate/kallsyms_scan.ts";
import { SymbolTable } from "./symbol_table.ts";

const TEXT = 0xffffffff9be00000n;
const IMAGE = x86_64.image.range;

function image(layout: string, count = 700): FixtureImage {
  const { encoding } = LAYOUTS[layout];
  const percpu = encoding === "absolute-percpu";
  return encodeImage(
    fixtureSymbols(TEXT, count, percpu),
    TEXT,
    LAYOUTS[layout],
  );
}

function reader(bytes: Uint8Array): ReadGva {
  return (gva, into) => {
    const at = Number(gva - TEXT);
    if (at < 0 || at + into.length > bytes.length) {
      throw new MemoryError("paging", gva, "not mapped");
    }
    into.set(bytes.subarray(at, at + into.length));
  };
}

function listed(table: SymbolTable) {
  return [...table.entries()].map(({ name, type, address }) => ({
    name,
    type,
    address,
  }));
}

for (const layout of Object.keys(LAYOUTS)) {
  Deno.test(`kallsyms as in ${layout}: read at the addresses in vmcoreinfo`, () => {
    const { bytes, at, symbols } = image(layout);
    const { blob, textGva } = expandKallsyms(
      readKallsyms(reader(bytes), at),
      IMAGE,
    );
    assert.equal(textGva, TEXT);
    assert.deepEqual(listed(new SymbolTable(blob, textGva)), symbols);
  });

  for (const count of [700, 1021, 1530]) {
    Deno.test(`kallsyms as in ${layout}: found by a scan, ${count} functions`, () => {
      const { bytes, symbols } = image(layout, count);
      const textGpa = 0x1b800000;
      const mem = new BufferMemory([
        { gpa: 0, bytes: new Uint8Array(0x9000) },
        { gpa: textGpa, bytes },
      ]);
      const [found, ...more] = findKallsyms(mem);
      assert.deepEqual(more, []);
      assert.equal(found.textGva, TEXT);
      assert.equal(found.textGpa, textGpa);
      const table = new SymbolTable(found.blob, found.textGva);
      assert.deepEqual(listed(table), symbols);
    });
  }
}

Deno.test("a stray copy of the tables is ignored", () => {
  const { bytes } = image("6.12");
  const textGpa = 0x4000000;
  const mem = new BufferMemory([
    // Only the tables, as a decompressor's buffer may leave them behind.
    { gpa: 0x100000, bytes: bytes.slice(RODATA + 0x3000) },
    { gpa: textGpa, bytes },
  ]);
  assert.deepEqual(findKallsyms(mem).map((one) => one.textGpa), [textGpa]);
});

Deno.test("names of more than 127 tokens have two length bytes", () => {
  const symbols = fixtureSymbols(TEXT, 300, true).map((symbol) =>
    symbol.name === "schedule"
      ? symbol
      : { ...symbol, name: symbol.name.replace("fn_1_", "q".repeat(400)) }
  );
  const { bytes, at } = encodeImage(symbols, TEXT, LAYOUTS["6.12"]);
  const { blob } = expandKallsyms(readKallsyms(reader(bytes), at), IMAGE);
  assert.deepEqual(listed(new SymbolTable(blob, TEXT)), symbols);
});

Deno.test("memory without a kernel gives a clear error", () => {
  const zeros = new BufferMemory(new Uint8Array(1 << 20), { name: "zeros" });
  assert.throws(() => findKallsyms(zeros), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /^zeros: no Linux kernel's symbol table/);
    return true;
  });
});

Deno.test("the error for an unknown layout says how far the search got", () => {
  const { bytes, at } = image("6.12");
  // Damages the names table: its first length becomes zero.
  bytes[Number(at.names - TEXT)] = 0;
  assert.throws(
    () => findKallsyms(new BufferMemory(bytes)),
    /token table, but no names and markers/,
  );
});

Deno.test("descending offsets are refused", () => {
  const { bytes, at } = image("6.12");
  new DataView(bytes.buffer).setInt32(
    Number(at.offsets - TEXT) + 40,
    -0x100000,
    true,
  );
  assert.throws(
    () => expandKallsyms(readKallsyms(reader(bytes), at), IMAGE),
    KernelError,
  );
});

Deno.test("damaged tables throw KernelError or MemoryError, nothing else", () => {
  const made = image("6.12", 60);
  const from = Number(made.at.numSyms - TEXT);
  const to = Number((made.at.relativeBase ?? 0n) - TEXT) + 8;
  const damage = fc.array(
    fc.tuple(fc.integer({ min: from, max: to - 1 }), fc.nat(255)),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = made.bytes.slice();
      for (const [at, value] of changes) bytes[at] = value;
      for (
        const attempt of [
          () => expandKallsyms(readKallsyms(reader(bytes), made.at), IMAGE),
          () => findKallsyms(new BufferMemory(bytes)),
        ]
      ) {
        try {
          attempt();
        } catch (error) {
          assert.ok(
            error instanceof KernelError || error instanceof MemoryError,
            String(error),
          );
        }
      }
    }),
    { numRuns: times(60) },
  );
});
