import assert from "node:assert/strict";
import { KernelError } from "../../base/errors.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { NoteValues } from "../kernel_place.ts";
import { finder } from "./finder.ts";
import { PageTableBuilder } from "./page_tables_fixture.ts";

const MIB2 = 2 << 20;
const TEXT = 0xffffffff92000000n;
/** GVA of the top table: 4 MiB into the image. */
const TOP = TEXT + BigInt(2 * MIB2);

/**
 * An image of 6 MiB whose `_text` lies at GPA 2 MiB, with the page tables
 * inside.
 */
function guest(levels: 4 | 5) {
  const bytes = new Uint8Array(8 << 20);
  const tables = new PageTableBuilder(bytes, levels, 3 * MIB2);
  for (let i = 0; i < 3; i++) {
    tables.map(TEXT + BigInt(i * MIB2), BigInt((1 + i) * MIB2), MIB2);
  }
  return { memory: new BufferMemory(bytes), tables };
}

const PHYS_BASE = MIB2 - 0x12000000;

function note(values: Record<string, bigint>): NoteValues {
  return {
    symbol: (name) => values[`SYMBOL ${name}`],
    number: (name) => values[`NUMBER ${name}`],
    value: () => undefined,
  };
}

const SYMBOLS = {
  "SYMBOL swapper_pg_dir": TOP,
  "SYMBOL _stext": TEXT,
  "NUMBER phys_base": BigInt(PHYS_BASE),
};

Deno.test("a kernel is found by its note, with and without the number of levels", () => {
  for (const levels of [4, 5] as const) {
    const { memory } = guest(levels);
    const said = { "NUMBER pgtable_l5_enabled": levels === 5 ? 1n : 0n };
    for (const more of [said, {}]) {
      const found = finder.byNote(memory, note({ ...SYMBOLS, ...more }));
      assert.equal(found?.physBase, PHYS_BASE);
      assert.equal(found.tables.levels, levels);
      assert.equal(found.tables.root, 3 * MIB2);
      assert.equal(found.tables.tryTranslate(TEXT + 5n)?.gpa, MIB2 + 5);
    }
    // The number of levels in the note is binding: the other one is not tried.
    const other = { "NUMBER pgtable_l5_enabled": levels === 5 ? 0n : 1n };
    assert.equal(
      finder.byNote(memory, note({ ...SYMBOLS, ...other })),
      undefined,
    );
  }
});

Deno.test("a note of another kernel, or of another architecture, is refused", () => {
  const { memory } = guest(4);
  for (const key of Object.keys(SYMBOLS)) {
    const { [key]: _, ...rest } = SYMBOLS as Record<string, bigint>;
    assert.equal(finder.byNote(memory, note(rest)), undefined, key);
  }
  // A note from an earlier boot: its tables are elsewhere, or outside RAM.
  for (const phys_base of [0n, BigInt(PHYS_BASE + MIB2), 1n << 40n]) {
    const moved = { ...SYMBOLS, "NUMBER phys_base": phys_base };
    assert.equal(finder.byNote(memory, note(moved)), undefined);
  }
});

Deno.test("a kernel is found by its image and its symbols", () => {
  const { memory } = guest(5);
  const symbols = (known: Record<string, bigint>) => ({
    tryAddress: (name: string) => known[name],
    address: (name: string) => {
      if (known[name] === undefined) throw new KernelError(name);
      return known[name];
    },
  });
  const find = (known: Record<string, bigint>, textGpa = MIB2) =>
    finder.byImage(memory, { textGva: TEXT, textGpa, symbols: symbols(known) });
  for (const name of ["init_top_pgt", "swapper_pg_dir"]) {
    const found = find({ [name]: TOP });
    assert.equal(found?.physBase, PHYS_BASE);
    assert.equal(found.tables.levels, 5);
  }
  assert.equal(find({ swapper_pg_dir: TOP }, 0), undefined);
  assert.throws(() => find({}), KernelError);
});
