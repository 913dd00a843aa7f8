import assert from "node:assert/strict";
import { KernelError, MemoryError, XftraceError } from "./errors.ts";

Deno.test("what a guest puts into an error is one line, and controls nothing", () => {
  const name = "evil\n\x1b[31m\x9b\u202e";
  const safe = "evil\\x0a\\x1b[31m\\x9b\\u{202e}";
  assert.equal(new XftraceError(`no ${name}`).message, `no ${safe}`);
  assert.equal(new KernelError(`no ${name}`).message, `no ${safe}`);
  assert.match(new MemoryError(name, 1, "no").message, /^evil\\x0a/);
});

Deno.test("an error of several lines keeps them, and nothing else", () => {
  const { message, exitCode } = new XftraceError("one\n\ttwo\x1b\r", {
    exitCode: 3,
    lines: true,
  });
  assert.deepEqual([message, exitCode], ["one\n\ttwo\\x1b\\x0d", 3]);
});
