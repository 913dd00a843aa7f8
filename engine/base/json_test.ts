import assert from "node:assert/strict";
import { parseJson } from "./json.ts";

Deno.test("JSON is parsed as always, brackets within strings too", () => {
  const value = { a: [1, { b: `[[{"\\` }], "]": '\\"['.repeat(200) };
  assert.deepEqual(parseJson(JSON.stringify(value)), value);
  assert.deepEqual(
    parseJson(JSON.stringify("[".repeat(9999))),
    "[".repeat(9999),
  );
  for (const text of ["", "{", '"', '"\\', "]", "[1,]"]) {
    assert.throws(() => parseJson(text), SyntaxError);
  }
});

Deno.test("what is nested without an end is refused before it is parsed", () => {
  const nested = (n: number) => "[".repeat(n) + "]".repeat(n);
  assert.ok(Array.isArray(parseJson(nested(64))));
  assert.throws(() => parseJson(nested(65)), /nested too deeply/);
  assert.throws(() => parseJson('{"a":'.repeat(6_000_000)), /too deeply/);
});
