import assert from "node:assert/strict";
import { XftraceError } from "../../engine/base/errors.ts";
import { otherSide } from "./commands/baseline.ts";
import { oneTarget } from "./target.ts";

const usage = (pattern: RegExp) => (error: unknown) =>
  error instanceof XftraceError && error.exitCode === 64 &&
  pattern.test(error.message);

Deno.test("a target as an argument, with -t, or the same in both", () => {
  assert.equal(oneTarget(undefined, undefined), undefined);
  assert.equal(oneTarget("qemu:web1", undefined), "qemu:web1");
  assert.equal(oneTarget(undefined, "qemu:web1"), "qemu:web1");
  assert.equal(oneTarget("qemu:web1", "qemu:web1"), "qemu:web1");
});

Deno.test("two different targets are refused, with both named", () => {
  assert.throws(
    () => oneTarget("qemu:web1", "pid:7"),
    usage(/^two targets are given, qemu:web1 and, with -t, pid:7; give one/),
  );
});

Deno.test("diff takes its second flow as an argument or with -t", () => {
  const none = undefined;
  assert.deepEqual(otherSide("core:x", "f", none), { b: "core:x", root: "f" });
  assert.deepEqual(otherSide(none, none, "pid:7"), { b: "pid:7", root: none });
  assert.deepEqual(otherSide("vfs_read.isra.0", none, "pid:7"), {
    b: "pid:7",
    root: "vfs_read.isra.0",
  });
  assert.deepEqual(otherSide("pid:7", "f", "pid:7"), { b: "pid:7", root: "f" });
});

Deno.test("diff refuses one flow, and three", () => {
  assert.throws(
    () => otherSide(undefined, undefined, undefined),
    usage(/name the other too, or a target with -t/),
  );
  for (const second of ["pid:8", "./good.baseline", "good.xfs"]) {
    assert.throws(
      () => otherSide(second, undefined, "pid:7"),
      usage(/^two targets are given/),
    );
  }
});
