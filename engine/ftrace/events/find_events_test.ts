import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import type { ListedEvent } from "./event_list.ts";
import { findEvents } from "./find_events.ts";

function event(whole: string): ListedEvent {
  const [system, name] = whole.split(":");
  return {
    system,
    name,
    id: 1,
    internal: false,
    enabled: false,
    softDisabled: false,
    gva: 0n,
  };
}

const ALL = [
  "sched:sched_switch",
  "sched:sched_wakeup",
  "irq:softirq_entry",
  "irq:irq_handler_entry",
].map(event);

const found = (glob?: string) =>
  findEvents(ALL, glob).map(({ system, name }) => `${system}:${name}`);

Deno.test("events by system, by name, and by a glob over either", () => {
  assert.equal(found().length, 4);
  assert.deepEqual(found("sched"), [
    "sched:sched_switch",
    "sched:sched_wakeup",
  ]);
  assert.deepEqual(found("sched:*"), found("sched"));
  assert.deepEqual(found("sched_switch"), ["sched:sched_switch"]);
  assert.deepEqual(found("*_entry"), [
    "irq:softirq_entry",
    "irq:irq_handler_entry",
  ]);
  assert.deepEqual(found("*:softirq_entry"), ["irq:softirq_entry"]);
});

Deno.test("an unknown event name suggests similar ones", () => {
  assert.throws(() => found("sched_swicth"), (error) => {
    assert.ok(error instanceof XftraceError);
    assert.match(error.message, /no event "sched_swicth": did you mean/);
    assert.match(error.message, /"sched_switch"/);
    return true;
  });
});
