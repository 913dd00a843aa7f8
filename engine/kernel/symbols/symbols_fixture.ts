/**
 * Builds a kernel's symbol table from a list, for tests.
 *
 * @module
 */
import { buildBlob, nameTable } from "./symbol_blob.ts";
import { SymbolTable } from "./symbol_table.ts";

/** GVA of `_text` in these symbol tables. */
export const FIXTURE_TEXT = 0xffffffff81000000n;

/**
 * Builds a table of image symbols at these GVAs, which must lie in the top 2
 * GiB from {@linkcode FIXTURE_TEXT} on; the symbols that every kernel has are
 * added.
 */
export function fixtureSymbolTable(
  symbols: Iterable<readonly [name: string, gva: bigint]>,
): SymbolTable {
  const all: (readonly [string, bigint])[] = [
    ["_text", FIXTURE_TEXT],
    ["_stext", FIXTURE_TEXT],
    ["schedule", FIXTURE_TEXT + 0x100n],
    ["_etext", FIXTURE_TEXT + 0x200000n],
    ...symbols,
  ];
  all.sort(([, a], [, b]) => a < b ? -1 : a > b ? 1 : 0);
  const encoder = new TextEncoder();
  const { types, names, starts } = nameTable(
    all.map(([name]) => encoder.encode(name)),
    new Uint8Array(all.length).fill("T".charCodeAt(0)),
  );
  const low = Uint32Array.from(all, ([, gva]) => Number(gva & 0xffffffffn));
  const { blob } = buildBlob("fixture", low, 0, types, names, starts);
  return new SymbolTable(blob, FIXTURE_TEXT);
}
