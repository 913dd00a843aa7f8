import assert from "node:assert/strict";
import fc from "fast-check";
import { codesOf, globMatches, globRegExp, isGlob } from "./glob.ts";
import { times } from "./long_fixture.ts";

Deno.test("a glob matches the whole text", () => {
  assert.ok(globRegExp("vfs_*").test("vfs_read"));
  assert.ok(!globRegExp("vfs_*").test("xvfs_read"));
  assert.ok(globRegExp("[a-c]?.x").test("bz.x"));
  assert.ok(!globRegExp("[!a-c]?.x").test("bz.x"));
  assert.ok(globRegExp("a+b(c)").test("a+b(c)"));
  assert.deepEqual(["a*", "?", "[x", "sys_read"].map(isGlob), [
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("a range that runs backwards contains nothing", () => {
  assert.ok(!globRegExp("[z-a]").test("m"));
  assert.ok(globRegExp("[z-ab]").test("b"));
  assert.ok(globRegExp("[!z-a]").test("m"));
});

/** Patterns and names over few characters, so that many match. */
const pattern = fc.array(
  fc.oneof(
    fc.constantFrom("a", "b", "_", "*", "?", "[ab]", "[!a]", "[a-c]", "[", "+"),
    // Also ranges that run backwards, and classes of special characters.
    fc.string({
      unit: fc.constantFrom("a", "c", "-", "!", "^", "]", "\\"),
      minLength: 1,
      maxLength: 4,
    }).map((body) => `[${body}]`),
  ),
  { maxLength: 6 },
).map((parts) => parts.join(""));
const name = fc.string({
  unit: fc.constantFrom("a", "b", "c", "_", "[", "]", "+", "-", "^"),
  maxLength: 8,
});

Deno.test("a glob gives the same answer for a text and for its bytes", () => {
  fc.assert(
    fc.property(pattern, name, name, (glob, text, other) => {
      const bytes = new TextEncoder().encode(other + text + other);
      const start = other.length;
      assert.equal(
        globMatches(codesOf(glob), bytes, start, start + text.length),
        globRegExp(glob).test(text),
      );
    }),
    { numRuns: times(2000) },
  );
});
