import assert from "node:assert/strict";
import type { FileChange, Plan, PlannedStep } from "./plan.ts";
import { afterText, planJson, planText, stepText } from "./plan_text.ts";

function plan(steps: readonly PlannedStep[], part: Partial<Plan> = {}): Plan {
  return {
    format: 1,
    target: "qemu:web1",
    kernel: "6.1.0-test",
    tracer: "function_graph",
    seal: "none",
    live: true,
    traces: [{
      title: "sys_openat",
      until: "xftrace off",
      passes: [{ what: "pages", text: "of all CPUs", reason: "" }],
      sinks: ["text"],
    }],
    steps,
    notes: [],
    ...part,
  };
}

function fileStep(part: Partial<FileChange>): PlannedStep {
  const change: FileChange = {
    way: "tracefs",
    path: "trace_clock",
    text: "mono",
    append: false,
    before: { known: true, text: "local" },
    ...part,
  };
  const step = { control: "file", path: change.path } as const;
  return { step, changes: [change] };
}

Deno.test("a plan of words, files and commands as text", async (t) => {
  const enable = (name: string): FileChange => ({
    way: "tracefs",
    path: `events/sched/${name}/enable`,
    text: "1",
    append: false,
    before: { known: true, text: "0" },
  });
  await t.assertSnapshot(planText(plan([
    {
      step: { control: "instance", name: "mine" },
      changes: [{ way: "instance", name: "mine" }],
    },
    { step: { control: "recording", on: false } },
    fileStep({}),
    {
      step: {
        control: "enable",
        events: ["sched:sched_switch", "sched:sched_wakeup"],
      },
      changes: [enable("sched_switch"), enable("sched_wakeup")],
    },
    {
      step: { control: "tracer", before: "nop", tracer: "function_graph" },
      changes: [{
        way: "tracefs",
        path: "instances/mine/current_tracer",
        text: "function_graph",
        append: false,
        before: { known: true, text: "nop" },
      }],
    },
    {
      step: { control: "depth", before: 0, levels: 3 },
      changes: [{
        way: "word",
        what: "max_graph_depth",
        where: "fgraph_max_depth",
        gva: 0xffffffff82345678n,
        width: 4,
        mask: 0xffffffffn,
        before: 0n,
        after: 3n,
      }],
    },
    {
      step: { control: "cpu", cpu: 1 },
      changes: [],
    },
    {
      step: {
        control: "module",
        roots: ["sys_openat"],
        functions: "all",
        levels: 2,
        sharedFilter: false,
        config: { roots: ["__x64_sys_openat"], filter: "all" },
      },
      changes: [{
        way: "module",
        where: "xft_control.command_number",
        gva: 0xffffffffc0400100n,
        width: 8,
        before: 4n,
        after: 6n,
        commands: [
          { command: "reset" },
          { command: "configure", roots: 1, functions: "all" },
        ],
      }],
    },
    { step: { control: "keys", everyMs: 10 }, changes: [] },
    { step: { control: "enabled" }, changes: [] },
  ], { notes: ["sys_openat is what it is"] })));
});

Deno.test("a guest that is not changed, and a recording", () => {
  assert.match(planText(plan([])), /^Control writes: none$/m);
  assert.match(
    planText(plan([], { live: false })),
    /^Control writes: none \(a recording is only read\)$/m,
  );
  assert.doesNotMatch(planText(plan([])), /Undo|Words written/);
});

Deno.test("a plan itself contains no words for unknown values", () => {
  const text = (part: Partial<FileChange>) => stepText(fileStep(part));
  const unknown = {
    path: "tracing_thresh",
    text: "256",
    before: { known: false },
  } as const;
  assert.equal(text(unknown).change, "what it holds -> 256");
  assert.equal(text(unknown).undo, "back to what it holds");
  const added = text({ ...unknown, append: true });
  assert.equal(added.change, "what it holds -> and 256");
  const trigger = text({
    path: "events/a/b/trigger",
    text: "stacktrace:2",
    append: true,
    before: { known: false },
    remove: "!stacktrace:2",
  });
  assert.equal(trigger.change, "as it is -> and stacktrace:2");
  assert.equal(trigger.undo, "stacktrace:2 taken out");
  const size = text({
    path: "buffer_size_kb",
    text: "4096",
    before: { known: true, text: "1408", whenUsed: true },
  });
  assert.equal(size.change, "1408 (once it is used) -> 4096");
});

Deno.test("an empty text is shown as what it means in its file", () => {
  const before = (path: string, text: string) =>
    stepText(fileStep({ path, before: { known: true, text } })).change;
  assert.equal(before("set_ftrace_filter", ""), "all functions -> mono");
  assert.equal(
    before("instances/a/set_graph_function", ""),
    "all functions -> mono",
  );
  assert.equal(before("events/a/b/filter", "0"), "none -> mono");
  assert.equal(before("events/a/b/filter", "pid > 5"), "pid > 5 -> mono");
  assert.equal(before("set_ftrace_notrace", "a\nb"), "a, b -> mono");
  const [{ changes }] = [fileStep({ path: "set_graph_function", text: "" })];
  const [change] = changes ?? [];
  assert.ok(change.way === "tracefs");
  assert.equal(afterText(change), "all functions");
});

Deno.test("in JSON unknown values are null, and determined changes are included", () => {
  const steps = [
    fileStep({ path: "tracing_thresh", before: { known: false } }),
    fileStep({}),
  ];
  const json = JSON.parse(planJson(plan(steps)));
  assert.deepEqual(
    json.writes.map(({ path, before }: { path: string; before: unknown }) => [
      path,
      before,
    ]),
    [["tracing_thresh", null], ["trace_clock", "local"]],
  );
  assert.equal(json.steps[1].what, "trace_clock");
  assert.equal(json.steps[1].undo, "back to local");
  // Not determined: what would be written is unknown.
  const depth = { control: "depth", before: 0, levels: 3 } as const;
  assert.equal(JSON.parse(planJson(plan([{ step: depth }]))).writes, undefined);
  assert.deepEqual(JSON.parse(planJson(plan([]))).writes, []);
});

Deno.test("changes made by the guest's agent are marked as such", () => {
  const by = "agent" as const;
  const file = fileStep({ by });
  assert.equal(stepText(file).by, "guest agent: tracefs");
  assert.equal(stepText(fileStep({})).by, "module mailbox: tracefs");
  const instance = stepText({
    step: { control: "instance", name: "mine" },
    changes: [{ way: "instance", by, name: "mine" }],
  });
  assert.equal(instance.by, "guest agent: instances");
  const enable = stepText({
    step: { control: "enable", events: ["sched:sched_switch"] },
    changes: file.changes,
  });
  assert.equal(enable.undo, "guest agent: back to 0");
});
