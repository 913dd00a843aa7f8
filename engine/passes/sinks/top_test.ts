import assert from "node:assert/strict";
import { said, working } from "./sink_fixture.ts";
import { TOP } from "./top.ts";

Deno.test("top: its description for plans and the compiler", () => {
  assert.deepEqual(said(TOP, { kind: "top", n: 3, field: "duration" }), [
    "top(3, duration)",
    "duration number",
  ]);
});

Deno.test("top: the greatest value first, and of equal ones the earlier", () => {
  const top = working(TOP, { kind: "top", n: 3, field: "duration" });
  top.take([
    { pid: 1, duration: 5 },
    { pid: 2, duration: 9 },
    { pid: 3, duration: NaN },
    { pid: 4, duration: 5 },
    { pid: 5, duration: 1 },
  ]);
  top.take([{ pid: 6, duration: 7 }]);
  assert.deepEqual(top.sink.result().map((e) => e.pid), [2, 6, 1]);
  assert.equal(top.sink.text(), "row 1\nrow 0\nrow 0\n");
  top.sink.clear();
  assert.equal(top.sink.text(), "no events\n");
});

Deno.test("top: an empty result for n = 0 and for an unknown field", () => {
  for (const [n, field] of [[0, "duration"], [3, "nothing"]] as const) {
    const top = working(TOP, { kind: "top", n, field });
    top.take([{ duration: 5 }]);
    assert.deepEqual(top.sink.result(), []);
  }
});
