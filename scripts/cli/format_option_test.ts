import assert from "node:assert/strict";
import { chosenFormat } from "./format_option.ts";

Deno.test("display options are for formats that follow them", () => {
  assert.equal(chosenFormat({ format: "text", cpu: false }).name, "text");
  assert.equal(chosenFormat({ format: "jsonl" }).name, "jsonl");
  assert.throws(
    () => chosenFormat({ format: "jsonl", proc: true }),
    /--proc is for text; --format jsonl does not follow it$/,
  );
  // Also when the option leaves something out.
  assert.throws(
    () => chosenFormat({ format: "jsonl", cpu: false }),
    /--no-cpu is for text/,
  );
  assert.throws(() => chosenFormat({ format: "xml" }), /no format "xml"/);
});
