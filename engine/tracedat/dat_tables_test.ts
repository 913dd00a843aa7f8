import assert from "node:assert/strict";
import fc from "fast-check";
import { DatFunctions } from "./dat_tables.ts";

/** The same, put more plainly, for texts that are not long. */
function expected(text: string) {
  const line = /^([0-9a-fA-F]{1,16}) (\S) (\S+)(?:[\t ]+\[(\S*)\])?/gm;
  const found = Array.from(
    text.matchAll(line),
    ([, digits, kind, name, module]) => ({
      address: BigInt(`0x${digits}`),
      kind,
      name,
      ...(module === undefined ? {} : { module }),
    }),
  ).filter(({ kind, name }) => !name.startsWith("$") && !/[aA]/.test(kind))
    .reverse();
  found.sort((a, b) =>
    a.address < b.address ? -1 : a.address > b.address ? 1 : 0
  );
  return found.map(({ kind: _, ...each }, i) => ({
    ...each,
    size: Number((found[i + 1] ?? each).address - each.address),
  }));
}

const digits = fc.constantFrom(
  "0",
  "10",
  "ffffffff81000000",
  "FFFFFFFF81000010",
  "fffffffff810000101",
  "12345678",
  "",
  "g",
);
const piece = fc.oneof(
  fc.constantFrom(" ", "\t", "\n", "\r", "\xa0", "[", "]", "$", " t ", " A "),
  fc.constantFrom("name", "other", "\t[module]", "[]", "\xff", "0"),
  digits,
);
const line = fc.tuple(
  digits,
  fc.constantFrom("t", "T", "a", "A", "", "tt"),
  piece,
)
  .map(([address, kind, name]) => `${address} ${kind} ${name}`);
const text = fc.array(fc.oneof(line, piece, fc.constant("\n")), {
  maxLength: 30,
}).map((parts) => parts.join(""));

Deno.test("functions are those of the lines of kallsyms, whatever else is there", () => {
  fc.assert(
    fc.property(text, (kallsyms) => {
      const functions = new DatFunctions(kallsyms);
      const all = expected(kallsyms);
      assert.deepEqual(
        Array.from({ length: functions.size }, (_, i) => functions.at(i)),
        all,
        JSON.stringify(kallsyms),
      );
      for (const { name, address } of all) {
        assert.equal(
          functions.addressOf(name),
          all.find((each) => each.name === name)?.address,
        );
        assert.equal(functions.find(address)?.address, address);
      }
      assert.equal(functions.addressOf("none of them"), undefined);
    }),
    { numRuns: 3000, seed: 1 },
  );
});

Deno.test("modules whose name has no end are not looked for in all lines before", () => {
  const count = 300_000;
  const functions = new DatFunctions("0 t a [x\n".repeat(count));
  assert.equal(functions.size, count);
  assert.deepEqual(functions.at(0), { address: 0n, name: "a", size: 0 });
});
