import assert from "node:assert/strict";
import { didYouMean, nearNames } from "./near_names.ts";

Deno.test("similar names, the best first", () => {
  assert.deepEqual(nearNames("raed", ["read", "write", "ready"]), ["read"]);
  assert.deepEqual(nearNames("zzzzzz", ["read", "write"]), []);
  assert.deepEqual(nearNames("READ", ["write", "pread", "read"]), [
    "read",
    "pread",
  ]);
  assert.deepEqual(nearNames("ab", ["abc", "abcd", "ab1", "ab2"], 2), [
    "ab1",
    "ab2",
  ]);
  assert.deepEqual(nearNames("task_strct", ["", "s", "rc", "task_struct"]), [
    "task_struct",
  ]);
  assert.deepEqual(nearNames("sys_openat2", ["openat2"]), ["openat2"]);
});

Deno.test("the question names the suggestions", () => {
  assert.equal(didYouMean([]), "");
  assert.equal(didYouMean(["a"]), ': did you mean "a"?');
  assert.equal(
    didYouMean(["a", "b", "c"]),
    ': did you mean "a", "b" or "c"?',
  );
});
