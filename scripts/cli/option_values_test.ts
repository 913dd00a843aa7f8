import assert from "node:assert/strict";
import { numberFor } from "./option_values.ts";

Deno.test("a number on the command line, and what is none", () => {
  const parse = numberFor("--for");
  assert.deepEqual(["0", "5", "0.5", "1e3"].map(parse), [0, 5, 0.5, 1000]);
  for (const text of ["", " ", "x", "5s", "-1", "NaN", "Infinity"]) {
    assert.throws(() => parse(text), {
      name: "XftraceError",
      message: `--for takes a number, 0 or more, and not "${text}"`,
    });
  }
});
