import assert from "node:assert/strict";
import type { Applied } from "./applied.ts";
import { fileChange } from "./control_fixture.ts";
import { planOff } from "./plan_off.ts";

function word(what: string): Applied {
  return {
    way: "word",
    change: {
      way: "word",
      what,
      where: "somewhere",
      gva: 0x1000n,
      width: 4,
      mask: 1n,
      before: 0n,
      after: 1n,
    },
    found: 0n,
  };
}

function file(path: string): Applied {
  return { way: "tracefs", change: fileChange(path, "0", "1") };
}

const made: Applied = {
  way: "instance",
  change: { way: "instance", name: "mine" },
};

Deno.test("the recording switch is not undone: it is off by then", () => {
  const applied = [word("tracing_on"), word("cpu1"), word("tracing_on")];
  const record = { applied, wasRecording: true, byFiles: false };
  const options = { keep: false, gone: undefined };
  assert.deepEqual(planOff(record, options), {
    undo: [applied[1]],
    recordAgain: false,
  });
  assert.equal(planOff(record, { ...options, keep: true }).recordAgain, true);
  const quiet = { ...record, wasRecording: false };
  assert.equal(planOff(quiet, { ...options, keep: true }).recordAgain, false);
});

Deno.test("with its tracer restored, the guest continues recording", () => {
  const options = { keep: false, gone: undefined };
  const record = {
    applied: [file("current_tracer")],
    wasRecording: true,
    byFiles: true,
  };
  assert.equal(planOff(record, options).recordAgain, true);
  // An instance that gets removed does not record again.
  const mine = { ...record, applied: [made, ...record.applied] };
  assert.equal(planOff(mine, options).recordAgain, false);
});

Deno.test("nothing is touched in an instance that the guest has removed", () => {
  const applied = [
    made,
    file("instances/mine/current_tracer"),
    file("set_graph_function"),
    word("max_graph_depth"),
    word("mute sched:sched_switch"),
    word("graph roots"),
  ];
  const { undo } = planOff(
    { applied, wasRecording: true, byFiles: true },
    { keep: false, gone: "mine" },
  );
  assert.deepEqual(undo, [applied[2], applied[3], applied[5]]);
});
