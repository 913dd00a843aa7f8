import assert from "node:assert/strict";
import { ControlGuest } from "./control_fixture.ts";
import { EventGuest, FLAG } from "./event_fixture.ts";
import { limitDepth, muteEvent, stopCpu, switchRecording } from "./switches.ts";
import { applyWord, PlannedMemory, undoWord } from "./words.ts";

const NAME = "sched:sched_switch";

Deno.test("an enabled event is muted by one bit, and only once", () => {
  const guest = new EventGuest([NAME, "irq:irq_handler_entry"]);
  const { instance, events } = guest.target();
  const { kernel } = guest;
  // A flag of the guest's own beside it.
  guest.setFlags(NAME, FLAG.enabled | 0x40);
  const memory = new PlannedMemory(kernel);
  const [change, ...more] = muteEvent(memory, instance, events, "sched_switch");
  assert.deepEqual(more, []);
  assert.deepEqual([change.mask, change.before, change.after], [2n, 0n, 2n]);
  // The same event by its other name: planned already.
  assert.deepEqual(muteEvent(memory, instance, events, NAME), []);
  const applied = applyWord(kernel, change);
  const flags = () => kernel.space.u32(change.gva);
  assert.equal(flags(), FLAG.enabled | FLAG.softDisabled | 0x40);
  undoWord(kernel, applied);
  assert.equal(flags(), FLAG.enabled | 0x40);
});

Deno.test("an event that is off, or is not there, cannot be muted", () => {
  const guest = new EventGuest([NAME]);
  const { instance, events } = guest.target();
  const mute = (name: string) =>
    muteEvent(new PlannedMemory(guest.kernel), instance, events, name);
  assert.throws(
    () => mute("sched_switch"),
    /event sched:sched_switch is not enabled in the guest, .*trace_event=sched:sched_switch$/,
  );
  for (const name of ["no_such", "sched:*", ""]) {
    assert.throws(() => mute(name), /the guest has no event/);
  }
});

Deno.test("an event's switch that now belongs to another event is not written", () => {
  const guest = new EventGuest([NAME, "irq:irq_handler_entry"]);
  guest.setFlags(NAME, FLAG.enabled);
  const { instance, events } = guest.target();
  const [change] = muteEvent(
    new PlannedMemory(guest.kernel),
    instance,
    events,
    NAME,
  );
  const at = guest.at("trace_event_file", guest.file(NAME), "event_call");
  guest.setU64(at, guest.u64(at) + 64n);
  assert.throws(
    () => applyWord(guest.kernel, change),
    /trace_event_file\.event_call is 0x/,
  );
  assert.equal(guest.kernel.space.u32(change.gva), FLAG.enabled);
});

Deno.test("a CPU that the guest does not have cannot be stopped", () => {
  const guest = new ControlGuest([]);
  const { instance } = guest.target();
  const memory = new PlannedMemory(guest.kernel);
  for (const cpu of [2, -1, 1.5]) {
    assert.throws(
      () => stopCpu(memory, instance, cpu),
      new RegExp(`^KernelError: the guest has no CPU ${cpu}: it has 0, 1$`),
    );
  }
  // Twice in one plan: it counts, and two undos count back.
  const changes = [0, 0].map((cpu) => stopCpu(memory, instance, cpu));
  assert.deepEqual(changes.map(({ before, after }) => [before, after]), [
    [0n, 1n],
    [1n, 2n],
  ]);
});

Deno.test("a depth that holds already is not written, and 0 is no limit", () => {
  const guest = new ControlGuest([]);
  const memory = new PlannedMemory(guest.kernel);
  assert.deepEqual(limitDepth(memory, 0), []);
  const [change] = limitDepth(memory, 3);
  assert.deepEqual([change.before, change.after], [0n, 3n]);
  // Planned on top of the change before.
  assert.deepEqual(limitDepth(memory, 3), []);
  const [back] = limitDepth(memory, 0);
  assert.deepEqual([back.before, back.after], [3n, 0n]);
  // Cut to 32 bits, the last one would be no limit.
  for (const depth of [-1, 1.5, NaN, Infinity, 2 ** 32]) {
    assert.throws(
      () => limitDepth(memory, depth),
      new RegExp(`max_graph_depth cannot be ${depth}: .*, 4294967295 at most$`),
    );
  }
});

Deno.test("recording is switched in the buffer that is in use, not in a snapshot's", () => {
  const guest = new ControlGuest([]);
  const { instance } = guest.target();
  const changes = switchRecording(
    new PlannedMemory(guest.kernel),
    instance,
    true,
  );
  assert.deepEqual(changes.map(({ where }) => where), [
    "trace_buffer.record_disabled",
    "trace_array.buffer_disabled",
  ]);
  // Like a snapshot: the instance gets another buffer.
  guest.setU64(
    instance.object.at("array_buffer.buffer"),
    guest.create("trace_buffer"),
  );
  const image = guest.bytes.slice();
  assert.throws(
    () => applyWord(guest.kernel, changes[0]),
    /trace_array\.array_buffer\.buffer is 0x/,
  );
  assert.deepEqual(guest.bytes, image);
});
