import assert from "node:assert/strict";
import { XftraceError } from "../../engine/base/errors.ts";
import { CompileError } from "../errors.ts";
import { oneLiner, oneLinerMessage } from "./one_liner.ts";

/** The message with which a text is refused. */
function refusal(text: string): string {
  try {
    oneLiner(text);
  } catch (error) {
    assert.ok(error instanceof XftraceError, String(error));
    assert.equal(error.exitCode, 64);
    return error.message;
  }
  assert.fail(`${text} is a query`);
}

Deno.test("a one-liner is one query, or several", () => {
  assert.equal(oneLiner("trace(sys_openat).count(comm)").length, 1);
  const two = 'trace(sys_read).count(),\n event("sched:*").count() // both';
  assert.equal(oneLiner(two).length, 2);
});

Deno.test("what is no query is refused, and says what to write", () => {
  assert.match(refusal("trace(sys_openat)"), /ends without a sink: add one/);
  assert.match(refusal("trace(sys_read).count(), trace(sys_read)"), /a sink/);
  for (const text of ["", "  ", "5", "null", "// nothing", "comm"]) {
    assert.match(refusal(text), /the one-liner is no trace: write one/, text);
  }
});

Deno.test("mistyped names and texts that are no code are explained", () => {
  assert.match(
    refusal("trce(sys_openat).count()"),
    /^the language has no "trce".*trace/,
  );
  for (const text of ["trace(", "trace(sys_read).cuont()", "]; 5; ["]) {
    assert.match(refusal(text), /the one-liner is n/, text);
  }
});

Deno.test("an error points at its place in the user's text", () => {
  const text = 'trace(sys_openat)\n  .until("5 parsecs").count()';
  try {
    oneLiner(text);
    assert.fail("this is no unit");
  } catch (error) {
    assert.ok(error instanceof CompileError);
    const [, ...lines] = oneLinerMessage(error, text).split("\n");
    const shown = lines.join("\n");
    assert.match(shown, /\.until\("5 parsecs"\)\.count\(\)\n\s*\^/);
    // An error of somewhere else has no place here.
    const other = new CompileError("bad", {
      file: "x.ts",
      line: 1,
      column: 1,
    });
    assert.equal(oneLinerMessage(other, text), "bad");
  }
});
