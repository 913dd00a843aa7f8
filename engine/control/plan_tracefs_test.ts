import assert from "node:assert/strict";
import { KernelError } from "../base/errors.ts";
import { TEXT } from "../ftrace/graph/graph_hash_fixture.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { EventGuest, FLAG } from "./event_fixture.ts";
import type { FileChange, PlannedStep } from "./plan.ts";
import {
  planEnable,
  planTracefs,
  type TracefsRequest,
} from "./plan_tracefs.ts";

const EVENTS = ["sched:sched_switch", "sched:sched_wakeup", "irq:sched_switch"];

/** Plans for an instance of a guest; default: the top-level one. */
function plan(
  guest: EventGuest,
  request: Partial<TracefsRequest>,
  instance: TraceArray | undefined = guest.target().instance,
): PlannedStep[] {
  const { events } = guest.target();
  const top = TraceArray.global(guest.kernel);
  return planTracefs(top, instance, events, { functions: [], ...request });
}

/** Plans for an instance that does not exist yet. */
function planNew(
  guest: EventGuest,
  request: Partial<TracefsRequest>,
): PlannedStep[] {
  const top = TraceArray.global(guest.kernel);
  return planTracefs(top, undefined, guest.target().events, {
    functions: [],
    instance: "mine",
    ...request,
  });
}

/** The changes of files, in order. */
function files(steps: readonly PlannedStep[]): FileChange[] {
  return steps.flatMap(({ changes = [] }) =>
    changes.map((change) => {
      assert.ok(change.way === "tracefs");
      return change;
    })
  );
}

/** `path: before -> text` for each file, in order. */
function lines(steps: readonly PlannedStep[]): string[] {
  return files(steps).map(({ path, before, text, append }) =>
    `${path}: ${before.known ? before.text : "?"} ${
      append ? ">>" : "->"
    } ${text}`
  );
}

Deno.test("nothing is planned for what is set already", () => {
  const guest = new EventGuest(EVENTS, [TEXT + 0x100n]);
  guest.setTracer("function_graph");
  guest.setFilter(EVENTS[0], "prev_pid > 5");
  guest.setFlags(EVENTS[0], FLAG.enabled);
  guest.setFunctionFilter(TEXT + 0x100n);
  guest.setPages(100);
  const steps = plan(guest, {
    tracer: "function_graph",
    functions: ["schedule"],
    events: [EVENTS[0]],
    eventFilters: [{ event: EVENTS[0], text: "prev_pid > 5" }],
    clock: "local",
    bufferKib: 398,
    files: [{ path: "options/sym-offset", text: "0", append: false }],
  });
  assert.deepEqual(steps, []);
});

Deno.test("each file is planned with what it holds, events and the tracer last", () => {
  const guest = new EventGuest(EVENTS, [TEXT + 0x100n]);
  guest.setPages(100);
  guest.setFilter(EVENTS[0], "prev_pid > 5");
  guest.setFunctionFilter(TEXT + 0x100n);
  const image = guest.bytes.slice();
  const steps = plan(guest, {
    tracer: "function_graph",
    functions: ["vfs_read", "vfs_write"],
    filter: ["vfs_*"],
    events: [EVENTS[0]],
    eventFilters: [{ event: EVENTS[0], text: "prev_pid > 7" }],
    triggers: [{ event: EVENTS[1], text: "stacktrace:2" }],
    clock: "mono",
    bufferKib: 4096,
    files: [
      { path: "options/sym-offset", text: "1", append: false },
      { path: "set_event_pid", text: "77", append: true },
    ],
  });
  assert.deepEqual(lines(steps), [
    "trace_clock: local -> mono",
    "buffer_size_kb: 398 -> 4096",
    "options/sym-offset: 0 -> 1",
    "set_event_pid: ? >> 77",
    // A root outside the filter would never be recorded.
    "set_ftrace_filter: schedule -> vfs_* vfs_read vfs_write",
    "set_graph_function: schedule -> vfs_read vfs_write",
    "events/sched/sched_switch/filter: prev_pid > 5 -> prev_pid > 7",
    "events/sched/sched_wakeup/trigger: ? >> stacktrace:2",
    "events/sched/sched_switch/enable: 0 -> 1",
    "current_tracer: nop -> function_graph",
  ]);
  const trigger = files(steps).find(({ path }) => path.endsWith("trigger"));
  assert.equal(trigger?.remove, "!stacktrace:2");
  assert.deepEqual(steps.at(-1)?.step, {
    control: "tracer",
    before: "nop",
    tracer: "function_graph",
  });
  assert.deepEqual(guest.bytes, image, "planning writes nothing");
});

Deno.test("functions are the filter of every tracer but function_graph", () => {
  const guest = new EventGuest(EVENTS, [TEXT + 0x100n]);
  assert.deepEqual(
    lines(plan(guest, { tracer: "function", functions: ["vfs_read"] })),
    [
      "set_ftrace_filter:  -> vfs_read",
      "current_tracer: nop -> function",
    ],
  );
  // Without a filter, the roots of function_graph need none.
  assert.deepEqual(
    lines(plan(guest, { tracer: "function_graph", functions: ["vfs_read"] })),
    [
      "set_graph_function: schedule -> vfs_read",
      "current_tracer: nop -> function_graph",
    ],
  );
  // function_graph without roots follows every function.
  assert.deepEqual(
    lines(plan(guest, { tracer: "function_graph" }))[0],
    "set_graph_function: schedule -> ",
  );
  assert.deepEqual(plan(guest, { functions: ["vfs_read"] }), []);
});

Deno.test("an instance that is to be created begins with the kernel's defaults", () => {
  const guest = new EventGuest(EVENTS);
  // Settings of the top level are not those of the new instance.
  guest.setTracer("function");
  guest.setFilter(EVENTS[0], "prev_pid > 5");
  guest.setFlags(EVENTS[0], FLAG.enabled);
  const steps = planNew(guest, {
    tracer: "function",
    functions: ["vfs_read"],
    events: [EVENTS[0]],
    eventFilters: [{ event: EVENTS[0], text: "prev_pid > 5" }],
    clock: "local",
    bufferKib: 1408,
    files: [{ path: "options/sym-offset", text: "0", append: false }],
  });
  const folder = "instances/mine/";
  assert.deepEqual(lines(steps), [
    // Until it is used, the file tells another number: it is written anyway.
    `${folder}buffer_size_kb: 1408 -> 1408`,
    `${folder}options/sym-offset: ? -> 0`,
    `${folder}set_ftrace_filter:  -> vfs_read`,
    `${folder}events/sched/sched_switch/filter: 0 -> prev_pid > 5`,
    `${folder}events/sched/sched_switch/enable: 0 -> 1`,
    `${folder}current_tracer: nop -> function`,
  ]);
  const { before } = files(steps)[0];
  assert.ok(before.known && before.whenUsed === true);
});

Deno.test("graph roots belong to the top level, whatever the instance", () => {
  const guest = new EventGuest(EVENTS, [TEXT + 0x100n]);
  const steps = planNew(guest, {
    tracer: "function_graph",
    functions: ["vfs_read"],
  });
  assert.deepEqual(files(steps).map(({ path }) => path), [
    "set_graph_function",
    "instances/mine/current_tracer",
  ]);
});

Deno.test("events are found by name, by system and by glob, each of them once", () => {
  const guest = new EventGuest(EVENTS);
  const enabled = (...events: string[]) =>
    plan(guest, { events }).flatMap(({ step }) =>
      step.control === "enable" ? step.events : []
    );
  assert.deepEqual(enabled("sched_switch"), [EVENTS[0], EVENTS[2]]);
  assert.deepEqual(enabled("sched:*"), [EVENTS[0], EVENTS[1]]);
  assert.deepEqual(enabled("sched:sched_[sw]*", "sched:*"), [
    EVENTS[0],
    EVENTS[1],
  ]);
  assert.deepEqual(enabled(), []);
  // The dot is a dot.
  for (const name of ["no_such", "sched.switch", "irq:sched_wakeup", "", ":"]) {
    for (
      const request of [
        { events: [name] },
        { eventFilters: [{ event: name, text: "1" }] },
        { triggers: [{ event: name, text: "stacktrace" }] },
      ]
    ) {
      assert.throws(() => plan(guest, request), (error) => {
        assert.ok(error instanceof KernelError);
        assert.equal(
          error.message,
          `the guest has no event ${name}: list them with \`xftrace events\``,
        );
        return true;
      });
    }
  }
});

Deno.test("a class of characters that runs backwards matches no event", () => {
  const guest = new EventGuest(EVENTS);
  assert.throws(
    () => plan(guest, { events: ["sched:[z-a]*"] }),
    /the guest has no event sched:\[z-a\]\*/,
  );
});

Deno.test("an event that a trigger keeps muted is off, and enabled then", () => {
  const guest = new EventGuest(EVENTS);
  guest.setFlags(EVENTS[0], FLAG.enabled | FLAG.softDisabled);
  guest.setFlags(EVENTS[1], FLAG.enabled);
  const { instance, events } = guest.target();
  const enable = (...names: string[]) =>
    planEnable(instance, instance, events, names, "");
  assert.deepEqual(enable(EVENTS[0], EVENTS[1])?.step, {
    control: "enable",
    events: [EVENTS[0]],
  });
  assert.equal(enable(EVENTS[1]), undefined);
  // An instance has switches of its own.
  guest.addInstance("mine");
  const mine = guest.target("mine").instance;
  const there = planEnable(instance, mine, events, [EVENTS[1]], "x/");
  assert.deepEqual(
    there?.changes?.map((one) => one.way === "tracefs" && one.path),
    ["x/events/sched/sched_wakeup/enable"],
  );
});

Deno.test("files that xftrace sets in another way, or that lead elsewhere, are refused", () => {
  const guest = new EventGuest(EVENTS);
  for (const path of ["tracing_on", "../x", "", "events/a/b/trigger"]) {
    assert.throws(
      () => plan(guest, { files: [{ path, text: "1", append: false }] }),
      /is not for --set|takes a file below tracefs/,
    );
  }
});

Deno.test("a filter of functions that claims more than there is room for is refused", () => {
  const guest = new EventGuest(EVENTS);
  guest.setFunctionFilter(TEXT, TEXT + 0x100n);
  const hash = guest.target().instance.object.follow("ops", "ftrace_ops")
    ?.follow("func_hash", "ftrace_ops_hash")
    ?.follow("filter_hash", "ftrace_hash");
  assert.ok(hash !== undefined);
  guest.setU64(hash.at("size_bits"), 60);
  assert.throws(
    () => plan(guest, { filter: ["vfs_read"] }),
    /claims 2 functions in 2\^60 buckets/,
  );
  guest.setU64(hash.at("size_bits"), 0);
  guest.setU64(hash.at("count"), 1);
  assert.throws(
    () => plan(guest, { filter: ["vfs_read"] }),
    /holds more functions than it counts/,
  );
});
