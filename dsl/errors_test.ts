import assert from "node:assert/strict";
import { all, comm, CompileError, event, sys_openat, trace } from "./mod.ts";

/** What a script without a type checker may write. */
const wrong = (value: unknown) => value as never;

Deno.test("a value of a wrong kind is named, with what was expected", () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => event("sched:sched_switch").count(wrong(event)),
      /^a field, such as comm .* expected here, and not the function event$/,
    ],
    [() => trace(sys_openat).count(wrong(undefined)), /^a field.* undefined$/],
    [() => trace(wrong(5)), /^a function or an event by its name.* not 5$/],
    [
      () => trace(wrong(event("a:b"))),
      /by its name.* and not an object \(Trace\)$/,
    ],
    [() => event(wrong(null)), /by its name.* and not null$/],
    [() => trace(sys_openat).filter(wrong("x")), /^a condition.* not x$/],
    [() => trace(sys_openat).filter(all(wrong(comm))), /^a condition/],
    [
      () => trace(sys_openat).until(wrong({})),
      /^a time.* and not an object \(Object\)$/,
    ],
  ];
  for (const [write, said] of cases) {
    assert.throws(
      write,
      (error) => error instanceof CompileError && said.test(error.message),
      String(write),
    );
  }
});
