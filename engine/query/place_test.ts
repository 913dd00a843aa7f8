import assert from "node:assert/strict";
import { callerPlace, withCaret } from "./place.ts";

Deno.test("the script's stack frame is found, and a caret points at it", () => {
  const stack = `Error
    at here (file:///lib/dsl/errors.ts:1:2)
    at eval (file:///one-liner, <anonymous>:4:7)
    at file:///script.ts:9:1`;
  const place = callerPlace(stack, ["file:///lib/dsl/"]);
  assert.deepEqual(place, { file: "file:///one-liner", line: 4, column: 7 });
  assert.equal(
    withCaret("no", place, () => "\ttrace().x"),
    "no\n    at file:///one-liner:4:7\n    \ttrace().x\n    \t     ^",
  );
  assert.equal(withCaret("no", undefined, () => "x"), "no");
});
