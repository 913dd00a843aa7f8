import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import { fileState, refusalReason } from "./tracefs_state.ts";
import { contentText, requireSettable, undoText } from "./tracefs_content.ts";

Deno.test("the text that restores a file's content", () => {
  const cases: [path: string, content: string, undo: string | undefined][] = [
    ["trace_clock", "local [mono] boot\n", "mono"],
    ["buffer_size_kb", "7 (expanded: 1408)\n", "7"],
    ["buffer_size_kb", "1408\n", "1408"],
    ["options/sym-addr", "0\n", "0"],
    ["events/sched/sched_switch/enable", "1*\n", "1"],
    ["events/sched/enable", "X\n", undefined],
    ["events/sched/sched_switch/filter", "none\n", "0"],
    ["events/sched/sched_switch/filter", "pid > 5\n", "pid > 5"],
    ["set_ftrace_notrace", "#### no functions disabled ####\n", ""],
    ["set_ftrace_notrace", "vfs_read\nvfs_write\n", "vfs_read\nvfs_write"],
    ["set_ftrace_filter", "a [b_c]\nd\n", "a:mod:b_c\nd"],
    ["set_graph_function", "a [b_c]\nd\n", "a\nd"],
    ["set_ftrace_pid", "no pid\n", ""],
    ["set_event_pid", "", ""],
  ];
  for (const [path, content, undo] of cases) {
    assert.equal(undoText(path, content), undo, `${path}: ${content}`);
  }
  assert.equal(contentText("set_ftrace_notrace", "a\nb\n"), "a, b");
  assert.equal(contentText("events/a/b/filter", "none\n"), "none");
});

Deno.test("files that cannot be restored are refused by name", () => {
  for (
    const [path, why] of [
      ["tracing_on", /recording is switched/],
      ["current_tracer", /--tracer/],
      ["events/sched/sched_switch/trigger", /--trigger/],
      ["instances/a/trace_clock", /--instance/],
      ["per_cpu/cpu0/snapshot", /cannot be undone/],
      ["trace_marker", /writes to the trace/],
      ["error_log", /cannot be undone/],
      ["events/sched/filter", /--event-filter 'SYSTEM/],
      ["trace_options", /options\/NAME=1/],
      ["kprobe_events", /inside the guest/],
      ["/etc/shadow", /is none/],
      ["options/../../x", /is none/],
      ["", /is none/],
    ] as const
  ) {
    assert.throws(() => requireSettable(path), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.equal(error.exitCode, 64);
      assert.match(error.message, why);
      return true;
    });
  }
  requireSettable("options/sym-addr");
  requireSettable("events/sched/sched_switch/filter");
});

Deno.test("equal states compare equal", () => {
  assert.equal(
    fileState("set_ftrace_filter", "b\na\n#### x ####\n"),
    fileState("set_ftrace_filter", "a\nb\n"),
  );
  assert.equal(fileState("events/a/b/enable", "1*\n"), "1");
  assert.equal(
    fileState(
      "events/a/b/trigger",
      "# none\nstacktrace:count=3 if x > 1\nhist:keys=pid [active]\n",
    ),
    fileState(
      "events/a/b/trigger",
      "hist:keys=pid [paused]\nstacktrace:count=0 if x > 1\n",
    ),
  );
  assert.equal(fileState("trace_clock", "local [mono]\n"), "mono");
  assert.equal(fileState("buffer_size_kb", "7 (expanded: 256)\n"), "256");
  assert.notEqual(fileState("options/a", "1\n"), fileState("options/a", "0"));
});

Deno.test("the kernel's reason is the one for the refused text", () => {
  const log = `[    1.000000] hist:a:b: error: Older
  Command: hist:keys=x
                ^
[  117.404295] event filter parse error: error: Field not found
  Command: no_such > 1 && pid > 2
           ^
`;
  assert.equal(refusalReason(log, "no_such > 1 && pid > 2"), "Field not found");
  assert.equal(
    refusalReason(
      `[    2.0] x: error: Field not found
  Command: no_such > 1 && pid > 2
${" ".repeat("  Command: no_such > 1 && ".length)}^
`,
      "no_such > 1 && pid > 2",
    ),
    'Field not found, at "pid > 2"',
  );
  assert.equal(refusalReason(log, "hist:keys=x"), undefined);
  assert.equal(refusalReason("", "x"), undefined);
});
