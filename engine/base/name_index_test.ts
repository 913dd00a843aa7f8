import assert from "node:assert/strict";
import fc from "fast-check";
import { type NameBytes, NameIndex } from "./name_index.ts";

/** Names one after another without separators, as in kallsyms. */
function joined(names: readonly string[]): NameBytes {
  const bytes = new TextEncoder().encode(names.join(""));
  const starts = new Uint32Array(names.length);
  const ends = new Uint32Array(names.length);
  let at = 0;
  names.forEach((name, i) => {
    starts[i] = at;
    ends[i] = at += name.length;
  });
  return { bytes, starts, ends };
}

/**
 * A string section as in BTF: each name ends in NUL, and the first is empty.
 */
function terminated(names: readonly string[]): NameBytes {
  const text = "\0" + names.map((name) => name === "" ? "" : `${name}\0`)
    .join("");
  const bytes = new TextEncoder().encode(text);
  let at = 1;
  const starts = Uint32Array.from(names, (name) => {
    const start = name === "" ? 0 : at;
    at += name === "" ? 0 : name.length + 1;
    return start;
  });
  return { bytes, starts };
}

const name = fc.string({
  unit: fc.constantFrom("a", "b", "_"),
  maxLength: 4,
});

Deno.test("finds every name where it stands and nothing else", () => {
  fc.assert(fc.property(fc.array(name), name, (names, other) => {
    for (const layout of [joined(names), terminated(names)]) {
      const index = new NameIndex(layout);
      for (const wanted of [...names, other]) {
        const expected = wanted === ""
          ? []
          : names.flatMap((each, i) => each === wanted ? [i] : []);
        assert.deepEqual(index.all(wanted), expected);
        assert.equal(index.find(wanted), expected[0] ?? -1);
      }
    }
  }));
});

Deno.test("a name that starts beyond the end of the bytes is not found", () => {
  const bytes = new TextEncoder().encode("\0one\0");
  const index = new NameIndex({ bytes, starts: new Uint32Array([1, 900]) });
  assert.deepEqual([index.find("one"), index.find("")], [0, -1]);
});
