/**
 * The compiler's errors: one sentence each, with similar names and the script's
 * own line.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  arg,
  comm,
  compile,
  CompileError,
  duration,
  event,
  field,
  fn,
  func,
  pid,
  type Query,
  ret,
  sys_openat,
  sys_read,
  trace,
} from "../mod.ts";
import { stepText } from "../../engine/control/plan_text.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import { CALLS, fakeFacts, LOADED, ROOTED } from "./compile_fixture.ts";

function message(
  make: () => Query<unknown>,
  facts: TargetFacts = fakeFacts(),
): string {
  try {
    compile([make().spec], facts);
  } catch (error) {
    assert.ok(error instanceof CompileError, String(error));
    return error.message;
  }
  throw new Error("it compiled");
}

Deno.test("errors: unknown names suggest similar ones", () => {
  assert.equal(
    message(() => trace(fn("vfs_raed")).count()),
    'the kernel 6.1.0-test has no function "vfs_raed": did you mean "vfs_read"?',
  );
  assert.equal(
    message(() => trace("sys_opnat").count()),
    'the kernel 6.1.0-test has no function "sys_opnat": did you mean "sys_openat", "sys_open" or "sys_read"?',
  );
  assert.equal(
    message(() => event("sched:sched_swich").count()),
    'the kernel 6.1.0-test has no event "sched:sched_swich": did you mean "sched:sched_switch"?',
  );
  assert.equal(
    message(() => trace(fn("ext5_*")).count()),
    'no function of the kernel 6.1.0-test matches "ext5_*"',
  );
  assert.match(
    message(() => trace("native_halt").count()),
    /"native_halt" cannot be traced/,
  );
});

Deno.test("errors: unknown fields, and fields of the wrong kind", () => {
  const calls = { tracer: "nop", enabled: CALLS } as const;
  const loose = event(...["sched:sched_switch"]);
  assert.equal(
    message(
      () => loose.count("prev_com"),
      fakeFacts({
        enabled: ["sched:sched_switch"],
      }),
    ),
    'events of sched:sched_switch have no field "prev_com": did you mean "prev_comm"?',
  );
  assert.match(
    message(
      () => loose.filter(field("prev_comm").gt(5)).print(),
      fakeFacts({
        enabled: ["sched:sched_switch"],
      }),
    ),
    /"prev_comm" of sched:sched_switch is a text: it cannot be compared with the number 5/,
  );
  assert.match(
    message(
      () => loose.filter(field("prev_pid").eq("x")).print(),
      fakeFacts({
        enabled: ["sched:sched_switch"],
      }),
    ),
    /"prev_pid" of sched:sched_switch is a number/,
  );
  assert.match(
    message(
      () => loose.hist("prev_comm"),
      fakeFacts({
        enabled: ["sched:sched_switch"],
      }),
    ),
    /hist\(\) needs a number/,
  );
  assert.match(
    message(
      () => trace(sys_openat).filter(arg("filename").eq("x")).graph(),
      fakeFacts(calls),
    ),
    /shows no calls of sys_openat: its tracer is nop/,
  );
  assert.match(
    message(() => trace(fn("vfs_read")).filter(arg("file").gt(1)).count()),
    /records no arguments, so args.file is not known/,
  );
});

Deno.test("errors: a target that does not show the calls says what to do", () => {
  assert.equal(
    message(() => trace(sys_read).count(), fakeFacts({ tracer: "nop" })),
    "qemu:web1 shows no calls of sys_read: its tracer is nop, and the events of the system call are not enabled; boot it with ftrace=function_graph ftrace_graph_filter=__x64_sys_read or trace_event=syscalls:sys_enter_read,syscalls:sys_exit_read, set the tracer inside the guest, or load the xftrace module there (`xftrace guest install`), which records what it is told",
  );
  assert.equal(
    message(
      () => event("sched:sched_switch").count(),
      fakeFacts({ target: "core:a.core", live: false }),
    ),
    "event sched:sched_switch is not in the recording core:a.core: it was not enabled",
  );
  assert.match(
    message(() => event("sched:sched_switch").count()),
    /boot it with trace_event=sched:sched_switch/,
  );
});

Deno.test("errors: what the module cannot record", () => {
  const loaded = fakeFacts(LOADED);
  assert.match(
    message(() => trace("vfs_read").filter(ret.lt(0)).count(), loaded),
    /its module cannot be used: it records no return values; boot it with/,
  );
  assert.equal(
    message(() => trace(sys_read).via("module").count()),
    "the module of qemu:web1 cannot record calls of sys_read: the guest has no module loaded",
  );
  assert.match(
    message(() => trace("vfs_read").filter(arg("file").gt(1)).count(), loaded),
    /the module records the arguments of system calls alone/,
  );
});

Deno.test("errors: via() with an unknown way", () => {
  const way: string = "grpah";
  assert.equal(
    message(() => trace(sys_read).via(way as "graph").count()),
    'via("grpah") is no way to see calls: write "graph", "events" or "module"',
  );
});

Deno.test("errors: the caret points at the place in the script", () => {
  try {
    compile(
      [trace("sys_openat").filter(arg("x").gt(5)).count().spec],
      fakeFacts(),
    );
    assert.fail("it compiled");
  } catch (error) {
    assert.ok(error instanceof CompileError);
    const { at } = error;
    assert.match(at?.file ?? "", /dsl\/compile\/compile_errors_test\.ts$/);
    const text = Deno.readTextFileSync(new URL(at?.file ?? ""));
    const line = text.split("\n")[(at?.line ?? 0) - 1];
    assert.equal(line.slice((at?.column ?? 0) - 1).slice(0, 8), 'arg("x")');
    const shown = error.display((_file, n) => text.split("\n")[n - 1]);
    const [, , code, caret] = shown.split("\n");
    assert.equal(code[caret.indexOf("^")], "a");
  }
});

Deno.test("errors: wrong units, numbers and limits throw where they are written", () => {
  const text = (value: string) => value as "1s";
  assert.throws(
    () => duration.gt(text("100 parsecs")),
    /"100 parsecs" is no duration/,
  );
  assert.throws(
    () => trace().until(1.5),
    /until\(1.5\) is no number of events/,
  );
  assert.throws(() => trace().depth(0), /depth\(0\) is no depth/);
  assert.throws(() => trace().every("0s"), /never comes to an end/);
  assert.throws(
    () => trace().lhist(duration, { from: 5, to: 1, step: 1 }),
    /are impossible: step must be above 0/,
  );
  assert.throws(
    () => trace().until(event("sched:sched_switch", "irq:*")),
    /until\(\) takes one event/,
  );
  assert.throws(() => compile([], fakeFacts()), /asks for nothing/);
});

Deno.test("compile: what is pushed down, and what is not", () => {
  const steps = (query: Query<unknown>, facts = fakeFacts(ROOTED)) =>
    compile([query.spec], facts).plan.steps.map(stepText).map((step) =>
      `${step.what} ${step.change.split(" -> ").at(-1)}`
    );
  assert.deepEqual(steps(trace(sys_openat).count()), [
    "roots sys_openat",
    "depth 1",
  ]);
  // The function may be recursive, so no depth limit is set.
  assert.deepEqual(steps(trace("vfs_read").count()), ["roots vfs_read"]);
  // As a root, the function would hide its callers.
  assert.deepEqual(steps(trace("vfs_read").count("caller")), []);
  assert.deepEqual(steps(trace("vfs_read").under(sys_read).count()), [
    "roots sys_read",
  ]);
  assert.deepEqual(steps(trace(sys_read).graph()), ["roots sys_read"]);
  // More functions than the guest has graph roots.
  assert.deepEqual(
    steps(trace(fn("vfs_*"), sys_openat).filter(comm.eq("a")).count(func)),
    [],
  );
  const recording = fakeFacts({ ...ROOTED, live: false });
  assert.deepEqual(steps(trace(sys_openat).count(pid), recording), []);
});
