import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError } from "../../base/errors.ts";
import { times } from "../../base/long_fixture.ts";
import { type FixtureSymbol, fixtureSymbols } from "./kallsyms_fixture.ts";
import { RangeSymbols } from "./range_symbols.ts";
import { buildBlob, nameTable, type SymbolBlob } from "./symbol_blob.ts";
import { globNames } from "./symbol_search.ts";
import { SymbolTable } from "./symbol_table.ts";

const TEXT = 0xffffffff81000000n;

function blobOf(symbols: readonly FixtureSymbol[]): SymbolBlob {
  const encoder = new TextEncoder();
  const { types, names, starts } = nameTable(
    symbols.map(({ name }) => encoder.encode(name)),
    Uint8Array.from(symbols, ({ type }) => type.charCodeAt(0)),
  );
  const low = Uint32Array.from(
    symbols,
    ({ address }) => Number(address & 0xffffffffn),
  );
  const absolute = symbols.findIndex(({ address }) => address >= TEXT);
  return buildBlob("test", low, absolute, types, names, starts).blob;
}

const SYMBOLS = fixtureSymbols(TEXT, 100, true);
const BLOB = blobOf(SYMBOLS);

/** The kernel at a different address than its link address. */
const MOVED = TEXT + 0x2ae00000n;
const table = () => new SymbolTable(BLOB, MOVED);
const moved = (name: string) => {
  const found = SYMBOLS.find((symbol) => symbol.name === name);
  assert.ok(found);
  return found.address - TEXT + MOVED;
};
const halves = (gva: bigint): [number, number] => [
  Number(gva & 0xffffffffn),
  Number(gva >> 32n),
];

Deno.test("addresses follow the kaslr offset, absolute ones do not", () => {
  const symbols = table();
  assert.equal(symbols.count, SYMBOLS.length);
  assert.equal(symbols.address("_text"), MOVED);
  assert.equal(symbols.address("schedule"), moved("schedule"));
  assert.equal(symbols.address("current_task"), 0x1fb80n);
  assert.equal(symbols.tryAddress("no_such"), undefined);
});

Deno.test("an unknown name is an error that suggests similar ones", () => {
  assert.throws(() => table().address("scheduel"), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /no symbol scheduel; near: schedule/);
    return true;
  });
});

Deno.test("of several symbols at one address the first one is returned", () => {
  const symbols = table();
  const found = symbols.lookup(moved("alias_second") + 3n);
  assert.deepEqual(found, {
    name: "alias_first",
    address: moved("alias_first"),
    offset: 3,
    size: 0x20,
  });
  assert.equal(symbols.name(...halves(moved("alias_second"))), "alias_first");
});

Deno.test("the image ends at _end, although symbols lie there", () => {
  const symbols = table();
  const end = moved("_end");
  assert.equal(symbols.lookup(end), undefined);
  assert.equal(symbols.lookup(end - 1n)?.name, "sys_call_table");
  assert.equal(symbols.lookup(MOVED - 1n), undefined);
  assert.equal(symbols.name(...halves(end)), `0x${end.toString(16)}`);
});

Deno.test("absolute symbols do not cover addresses", () => {
  assert.equal(table().lookup(0x1fb80n), undefined);
  assert.equal(table().name(0x1fb80, 0), "0x1fb80");
});

Deno.test("without data symbols the image consists of its text", () => {
  const text = SYMBOLS.filter(({ type }) => /[Tt]/.test(type));
  const symbols = new SymbolTable(
    blobOf([SYMBOLS[0], ...text]),
    TEXT,
  );
  const end = symbols.address("_etext");
  assert.equal(symbols.lookup(end - 1n)?.name, "alias_first");
  assert.equal(symbols.lookup(end), undefined);
});

Deno.test("the last symbol extends to the end of the image", () => {
  const symbols = SYMBOLS.filter(({ name }) =>
    !["_end", "__brk_limit"].includes(name)
  ).filter(({ type }) => /[TtA]/.test(type));
  const found = new SymbolTable(blobOf(symbols), TEXT);
  const end = found.address("_etext");
  assert.equal(found.lookup(end - 1n)?.size, 0x20);
});

Deno.test("every address gets the name of the symbol before it", () => {
  const symbols = table();
  const inside = SYMBOLS.filter(({ address }) => address >= TEXT);
  const last = inside.findIndex(({ name }) => name === "_end");
  fc.assert(fc.property(
    fc.nat(last - 1),
    fc.nat(0x1f),
    (index, offset) => {
      const { address } = inside[index];
      const first = inside.find((s) => s.address === address);
      const gva = address - TEXT + MOVED + BigInt(offset);
      const next = inside.find((s) => s.address > address);
      if (next && gva - MOVED >= next.address - TEXT) return;
      assert.equal(symbols.name(...halves(gva)), first?.name);
      const [lo, hi] = halves(gva);
      assert.equal(symbols.name(lo | 0, hi | 0), first?.name);
      assert.equal(symbols.lookup(gva)?.name, first?.name);
    },
  ));
});

Deno.test("regions are searched outside the image, with the module's name", () => {
  const symbols = table();
  const at = 0xffffffffc0123000n;
  const region = new RangeSymbols(
    [{ name: "probe_me", start: at, end: at + 64n }],
    "mymod",
  );
  assert.equal(symbols.name(...halves(at)), "0xffffffffc0123000");
  symbols.setRegions([region]);
  assert.equal(symbols.name(...halves(at)), "probe_me [mymod]");
  assert.equal(symbols.lookup(at + 5n)?.offset, 5);
  assert.equal(symbols.lookup(at + 64n), undefined);
  assert.equal(symbols.tryAddress("probe_me"), at);
  assert.equal(symbols.tryAddress("mymod:probe_me"), at);
  assert.equal(symbols.tryAddress("other:probe_me"), undefined);
  assert.deepEqual(symbols.glob("probe*"), ["probe_me"]);
  assert.deepEqual(symbols.near("prob_me"), ["probe_me"]);
  symbols.setRegions([]);
  assert.equal(symbols.name(...halves(at)), "0xffffffffc0123000");
  assert.equal(symbols.tryAddress("probe_me"), undefined);
});

Deno.test("all symbols with the same name are found", () => {
  const doubled = [...SYMBOLS];
  const extra = { name: "schedule", type: "t", address: TEXT + 0x101n };
  doubled.splice(doubled.findIndex((s) => s.address > extra.address), 0, extra);
  const symbols = new SymbolTable(blobOf(doubled), TEXT);
  assert.deepEqual(symbols.addresses("schedule"), [
    TEXT + 0x40n,
    extra.address,
  ]);
  assert.equal(symbols.address("schedule"), TEXT + 0x40n);
  assert.deepEqual(symbols.addresses("none"), []);
});

Deno.test("similar names: typos, missing prefixes, parts", () => {
  const symbols = table();
  assert.deepEqual(symbols.near("sys_raed", 1), ["__x64_sys_read"]);
  assert.deepEqual(symbols.near("sys_read", 1), ["__x64_sys_read"]);
  assert.deepEqual(symbols.near("schedul", 1), ["schedule"]);
  assert.ok(symbols.near("alias").includes("alias_first"));
  assert.deepEqual(symbols.near("qqqqqqqqqqqqqqqq"), []);
  assert.deepEqual(symbols.near(""), []);
  assert.ok(symbols.near("vfs_read.part", 3).length <= 3);
});

Deno.test("globs match like regular expressions", () => {
  const piece = fc.constantFrom("*", "?", "a", "b", "_", "[ab]", "[!a]", "**");
  const name = fc.array(fc.constantFrom("a", "b", "_", "c"), {
    minLength: 1,
    maxLength: 8,
  }).map((letters) => letters.join(""));
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 6 }),
      fc.uniqueArray(name, { minLength: 1, maxLength: 12 }),
      (pieces, names) => {
        const encoder = new TextEncoder();
        const letters = new Uint8Array(names.length).fill(0x74);
        const blob = nameTable(names.map((n) => encoder.encode(n)), letters);
        const source = pieces.map((p) =>
          p === "?" ? "." : p.replace(/\*+/, ".*").replace("!", "^")
        ).join("");
        const expected = names.filter((n) => new RegExp(`^${source}$`).test(n));
        assert.deepEqual(globNames(blob, pieces.join("")), expected);
      },
    ),
    { numRuns: times(500) },
  );
});

Deno.test("an unclosed character class is a literal bracket", () => {
  const encoder = new TextEncoder();
  const names = nameTable([encoder.encode("a[b")], new Uint8Array(1));
  assert.deepEqual(globNames(names, "a[b"), ["a[b"]);
});

Deno.test("symbols that every kernel has must be present", () => {
  const without = SYMBOLS.filter(({ name }) => name !== "schedule");
  assert.throws(() => blobOf(without), /is called schedule: not a Linux/);
});

Deno.test("an image across a multiple of 4 GiB", () => {
  const plain = fixtureSymbols(TEXT, 100, false);
  const at = 0xffff_8000_ffff_f000n;
  const symbols = new SymbolTable(blobOf(plain), at);
  const end = symbols.address("_end");
  assert.ok(end > 0xffff_8001_0000_0000n && end - at < 1n << 32n);
  for (const { name, address } of plain) {
    const gva = address - TEXT + at;
    assert.ok(symbols.addresses(name).includes(gva), name);
    if (gva >= end || gva < symbols.address("_stext")) continue;
    const found = symbols.lookup(gva);
    assert.equal(found?.address, gva);
    assert.equal(symbols.name(...halves(gva)), found.name);
  }
  // The same low half in another 4 GiB is a different address.
  const elsewhere = symbols.address("schedule") + (1n << 32n);
  assert.equal(symbols.lookup(elsewhere), undefined);
  assert.match(symbols.name(...halves(elsewhere)), /^0x/);
});
