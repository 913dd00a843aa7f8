import assert from "node:assert/strict";
import { EXIT, XftraceError } from "../base/errors.ts";
import { formatTarget, parseTarget } from "./target.ts";

Deno.test("target strings survive parsing and formatting", () => {
  for (
    const text of ["qemu:web1", "qemu:a:b", "pid:12", "file:/a b", "core:x.zst"]
  ) {
    assert.equal(formatTarget(parseTarget(text)), text);
  }
  assert.deepEqual(parseTarget("pid:12"), { kind: "pid", pid: 12 });
});

Deno.test("an invalid target is reported together with the form that was probably meant", () => {
  const bad: Record<string, RegExp> = {
    "web1": /did you mean qemu:web1\?/,
    "12": /did you mean pid:12\?/,
    "/dev/shm/x": /did you mean file:\/dev\/shm\/x or core:/,
    "": /is not a target/,
    "xen:a": /"xen:a" is not a target/,
    "qemu:": /incomplete/,
    "pid:x": /needs a process id/,
    "pid:0": /needs a process id/,
  };
  for (const [text, expected] of Object.entries(bad)) {
    assert.throws(() => parseTarget(text), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(error.message, expected);
      assert.equal(error.exitCode, EXIT.usage);
      return true;
    });
  }
});
