import assert from "node:assert/strict";
import { CONTROL, CPU, PHASE, SEAL } from "./abi.ts";
import { ControlPage } from "./control_page.ts";
import { ModuleGuest } from "./module_fixture.ts";
import { moduleState } from "./module_state.ts";

function setting() {
  const guest = new ModuleGuest();
  const page = ControlPage.find(guest.kernel);
  assert.ok(page !== undefined);
  return { guest, state: () => moduleState(page) };
}

Deno.test("a module that was just loaded", () => {
  assert.deepEqual(setting().state(), {
    enabled: false,
    registered: false,
    seal: "none",
    parked: false,
    generation: 0,
    phase: "idle",
    cpus: [
      { cpu: 0, written: 0, epoch: 0 },
      { cpu: 1, written: 0, epoch: 0 },
    ],
    dropped: { nmi: 0, unkeyed: 0, nested: 0 },
  });
});

Deno.test("a module that records, and what it dropped on all CPUs", () => {
  const { guest, state } = setting();
  guest.set32(CONTROL.enabled, 1);
  guest.set32(CONTROL.registered, 1);
  guest.set32(CONTROL.parked, 1);
  guest.set32(CONTROL.seal, SEAL.ratchet);
  guest.set32(CONTROL.phase, PHASE.filtering);
  guest.set64(CONTROL.generation, 3n);
  guest.setCpu64(1, CPU.head, 2n ** 40n);
  guest.setCpu64(1, CPU.ack_epoch, 7);
  [0, 1].forEach((cpu) => {
    guest.setCpu64(cpu, CPU.dropped_nmi, 1);
    guest.setCpu64(cpu, CPU.dropped_unkeyed, 10);
    guest.setCpu64(cpu, CPU.dropped_nested, 100);
  });
  const { cpus, dropped, ...rest } = state();
  assert.deepEqual(rest, {
    enabled: true,
    registered: true,
    parked: true,
    seal: "siphash+ratchet",
    generation: 3,
    phase: "filtering",
  });
  assert.deepEqual(cpus[1], { cpu: 1, written: 2 ** 40, epoch: 7 });
  assert.deepEqual(dropped, { nmi: 2, unkeyed: 20, nested: 200 });
});

Deno.test("numbers that no module states are shown, and not taken for others", () => {
  const { guest, state } = setting();
  guest.set32(CONTROL.seal, 99);
  guest.set32(CONTROL.phase, 77);
  assert.deepEqual([state().seal, state().phase], ["none", "77"]);
});
