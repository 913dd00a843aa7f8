import assert from "node:assert/strict";
import { CONTROL, CPU, ENTRY_KIND, SEAL } from "../page/abi.ts";
import { ControlPage } from "../page/control_page.ts";
import { ModuleGuest } from "../page/module_fixture.ts";
import { KeyController } from "./key_controller.ts";
import type { Klog } from "./klog.ts";
import { KLOG, type KlogEntry, type KlogRecord } from "./klog_format.ts";

/** A guest with two CPUs, the controller of its keys, and what is logged. */
function setting() {
  const guest = new ModuleGuest();
  guest.set32(CONTROL.seal, SEAL.ratchet);
  const page = ControlPage.find(guest.kernel);
  assert.ok(page !== undefined);
  const log: KlogEntry[] = [];
  const events: string[] = [];
  let full = false;
  const controller = new KeyController(
    page,
    {
      append(entries: readonly KlogEntry[]) {
        if (full) throw new Error("the disk is full");
        log.push(...entries);
      },
    } as unknown as Klog,
    {
      sent: (cpu, epoch) => events.push(`${cpu}: sent ${epoch}`),
      taken: (cpu, epoch, first) =>
        events.push(`${cpu}: taken ${epoch} at ${first}`),
    },
  );
  return {
    guest,
    controller,
    log,
    events,
    fill: () => full = true,
    /** Makes a CPU write entries, with the key that it finds. */
    write(cpu: number, count = 1) {
      for (let i = 0; i < count; i++) {
        guest.push(cpu, { kind: ENTRY_KIND.entry });
      }
    },
    problems: () => controller.watch().map(({ problem }) => problem),
  };
}

/** The key that waits in a CPU's slot. */
function slotKey(guest: ModuleGuest, cpu: number): Int32Array {
  const at = guest.fixture.gpa(guest.cpus[cpu].gva) + CPU.slot_key;
  return new Int32Array(guest.fixture.bytes.slice(at, at + 16).buffer);
}

Deno.test("each CPU gets its next key once it has taken the last one", () => {
  const { guest, controller, log, events, write, problems } = setting();
  assert.equal(controller.rotate(), 2);
  // None has been taken yet.
  assert.equal(controller.rotate(), 0);
  write(0, 3);
  assert.deepEqual(problems(), []);
  assert.equal(controller.rotate(), 1);
  write(0);
  write(1, 2);
  assert.deepEqual(problems(), []);
  assert.deepEqual(events, [
    "0: sent 1",
    "1: sent 1",
    "0: taken 1 at 1",
    "0: sent 2",
    "0: taken 2 at 4",
    "1: taken 1 at 1",
  ]);
  assert.equal(controller.switches, 3);
  assert.deepEqual(log.map(({ type, cpu }) => [type, cpu]), [
    [KLOG.key, 0],
    [KLOG.key, 1],
    [KLOG.ack, 0],
    [KLOG.key, 0],
    [KLOG.ack, 0],
    [KLOG.ack, 1],
  ]);
  assert.equal(guest.cpu64(0, CPU.slot_epoch), 0n);
});

Deno.test("keys are random, and a key is logged before the guest has it", () => {
  const { guest, controller, log, fill, write, problems } = setting();
  controller.rotate();
  assert.deepEqual(log[0].key, slotKey(guest, 0));
  assert.notDeepEqual(slotKey(guest, 0), slotKey(guest, 1));
  write(0);
  assert.deepEqual(problems(), []);
  fill();
  assert.throws(() => controller.rotate(), /disk is full/);
  assert.equal(guest.cpu64(0, CPU.slot_epoch), 0n);
});

Deno.test("a CPU that has not emptied its slot yet gets no key into it", () => {
  const { guest, controller, write, problems } = setting();
  controller.rotate();
  write(0);
  guest.setCpu64(0, CPU.slot_epoch, 1);
  assert.deepEqual(problems(), []);
  assert.equal(controller.rotate(), 0);
  guest.setCpu64(0, CPU.slot_epoch, 0);
  assert.equal(controller.rotate(), 1);
});

Deno.test("a key that the host did not send is reported once", () => {
  const { guest, controller, write, problems } = setting();
  controller.rotate();
  write(0);
  write(1);
  assert.deepEqual(problems(), []);
  guest.setCpu64(0, CPU.ack_epoch, 7);
  assert.deepEqual(problems(), ["foreign key"]);
  assert.deepEqual(problems(), []);
});

Deno.test("a foreign key that was taken between two checks is seen in the count", () => {
  const { guest, controller, write } = setting();
  controller.rotate();
  write(0);
  assert.deepEqual(controller.watch(), []);
  guest.setCpu64(0, CPU.keys_taken, 2);
  const [finding, ...others] = controller.watch();
  assert.match(finding.detail, /CPU 0 has taken 2 keys; the host knows of 1/);
  assert.deepEqual(others, []);
  assert.deepEqual(controller.watch(), []);
});

Deno.test("a key in the slot that is not the one sent is reported once", () => {
  const { guest, controller, problems } = setting();
  controller.rotate();
  assert.deepEqual(problems(), []);
  const at = guest.fixture.gpa(guest.cpus[1].gva) + CPU.slot_key;
  guest.fixture.bytes[at] ^= 1;
  assert.deepEqual(problems(), ["foreign key"]);
  assert.deepEqual(problems(), []);
  // The CPU is taking it: it clears the key before the epoch.
  guest.fixture.bytes.fill(0, at, at + 16);
  assert.deepEqual(problems(), []);
});

Deno.test("a key taken at an impossible entry is reported, and not believed", () => {
  for (const first of [0, 9]) {
    const { guest, controller, events, write, problems } = setting();
    controller.rotate();
    write(0);
    guest.setCpu64(0, CPU.ack_sequence, first);
    assert.deepEqual(problems(), ["key not taken as sent"]);
    assert.deepEqual(problems(), []);
    assert.ok(!events.some((event) => event.includes("taken")));
  }
});

const record = (
  type: KlogRecord["type"],
  cpu: number,
  a: number,
  b = 0,
  key = new Int32Array(4),
) => ({ type, cpu, a, b, key }) as KlogRecord;

Deno.test("another collector continues after the keys of the log", () => {
  const { guest, controller, events, problems } = setting();
  const key = Int32Array.of(1, 2, 3, 4);
  // CPU 0 has taken its second key; that of CPU 1 was logged but never sent.
  guest.setCpu64(0, CPU.ack_epoch, 2);
  guest.setCpu64(0, CPU.keys_taken, 2);
  guest.setCpu64(0, CPU.head, 20);
  controller.resume([
    record(KLOG.key, 0, 1),
    record(KLOG.ack, 0, 1, 1),
    record(KLOG.key, 0, 2),
    record(KLOG.ack, 0, 2, 10),
    record(KLOG.key, 1, 1, 0, key),
  ]);
  assert.deepEqual(events, [
    "0: sent 1",
    "0: taken 1 at 1",
    "0: sent 2",
    "0: taken 2 at 10",
    "1: sent 1",
  ]);
  assert.equal(controller.switches, 2);
  assert.deepEqual(slotKey(guest, 1), key);
  assert.equal(guest.cpu64(1, CPU.slot_epoch), 1n);
  assert.deepEqual(problems(), []);
  assert.equal(controller.rotate(), 1);
  assert.equal(guest.cpu64(0, CPU.slot_epoch), 3n);
});
