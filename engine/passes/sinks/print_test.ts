import assert from "node:assert/strict";
import { PRINT } from "./print.ts";
import { said, working } from "./sink_fixture.ts";

Deno.test("print: its description for plans and the compiler", () => {
  assert.deepEqual(said(PRINT, { kind: "print" }), ["print()", ""]);
  assert.equal(PRINT.asTheyCome, true);
  assert.equal(PRINT.inside, undefined);
});

Deno.test("print: a line for each event, and their number", () => {
  const print = working(PRINT, { kind: "print" });
  print.take([{}, {}]);
  print.take([{}]);
  assert.equal(print.written, "row 0\nrow 1\nrow 0\n");
  assert.equal(print.sink.result(), 3);
  assert.equal(print.sink.text(), "");
  print.sink.clear();
  assert.equal(print.sink.result(), 0);
});
