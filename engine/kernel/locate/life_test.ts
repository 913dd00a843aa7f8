import assert from "node:assert/strict";
import type { Kernel } from "../core/kernel.ts";
import { bootMark, LifeWatch } from "./life.ts";
import { patch, RECORDED, recordedGuest } from "./recorded_guest_fixture.ts";

/** A watch of a recorded guest, with clocks that the test moves. */
function watched(opened: Kernel) {
  const { space, symbols, types } = opened;
  const ticks = symbols.address("jiffies_64");
  const guest = {
    /** The host's clock, ms. */
    now: 1000,
    /** What a full comparison finds. */
    changed: undefined as string | undefined,
    compared: 0,
    tick(by = 1n): void {
      const word = new Uint8Array(8);
      const view = new DataView(word.buffer);
      view.setBigUint64(0, space.u64(ticks) + by, true);
      patch(opened, ticks, word);
    },
  };
  const watch = new LifeWatch(
    {
      space,
      symbols,
      types,
      banner: symbols.address("linux_banner"),
      changed: () => {
        guest.compared++;
        return guest.changed;
      },
    },
    () => guest.now,
  );
  return { watch, guest };
}

/** GVA of the random value that each boot draws anew. */
function secret({ symbols, types }: Kernel): bigint {
  const offset = types.tryOffset("task_struct", "stack_canary");
  assert.ok(offset !== undefined);
  return symbols.address("init_task") + BigInt(offset);
}

for (const kernel of RECORDED) {
  Deno.test(`${kernel}: a kernel whose clock stands still may be about to be replaced`, () => {
    const { watch, guest } = watched(recordedGuest(kernel).describe());
    assert.equal(watch.look(), "runs");
    guest.now += 30_000;
    assert.equal(watch.look(), "runs", "it has been paused all the time");
    guest.tick();
    assert.equal(watch.look(), "runs");
    guest.now += 59;
    assert.equal(watch.look(), "runs");
    guest.now += 2;
    assert.equal(watch.look(), "still");
    assert.equal(watch.stillMs(), 61);
    guest.tick();
    assert.equal(watch.stillMs(), 0);
    assert.equal(watch.look(), "runs", "it was idle");
    guest.compared = 0;
    guest.now += 999;
    assert.equal(watch.look(), "still");
    assert.equal(guest.compared, 0);
    guest.now += 1;
    assert.equal(watch.look(), "still");
    assert.equal(watch.look(), "still");
    assert.equal(guest.compared, 1, "once a second");
    guest.now += 60_000;
    assert.equal(watch.look(), "runs", "it is stuck, and worth reading");
    guest.changed = "it stands still, and another kernel has appeared";
    guest.now += 1000;
    assert.equal(watch.look(), "other");
    guest.changed = undefined;
    guest.tick();
    assert.equal(watch.look(), "other", "it stays so");
  });

  Deno.test(`${kernel}: a guest that a busy host hardly lets run is not stuck`, () => {
    const times = { ran: 1000, waited: 500 };
    const opened = () => {
      const { watch, guest } = watched(recordedGuest(kernel).describe());
      watch.measure({ cpuMs: () => times.ran, waitMs: () => times.waited });
      guest.tick();
      watch.look();
      guest.now += 100;
      assert.equal(watch.look(), "still");
      const after = (passed: number, ran: number, waited: number) => {
        guest.now += passed;
        times.ran += ran;
        times.waited += waited;
        return watch.look();
      };
      return { guest, watch, after };
    };
    const starved = opened();
    assert.equal(starved.after(61_000, 4_000, 100_000), "still");
    assert.equal(starved.after(600_000, 40_000, 900_000), "still");
    assert.equal(starved.after(300_000, 20_000, 500_000), "runs", "stuck");
    assert.equal(starved.after(10, 0, 0), "runs", "and stays so");
    starved.guest.tick();
    assert.equal(starved.after(0, 0, 0), "runs");
    assert.equal(starved.after(100, 0, 0), "still", "once more");
    const idle = opened();
    assert.equal(idle.after(59_000, 500, 0), "still");
    assert.equal(idle.after(2_000, 20, 0), "runs", "paused, or idle");
  });

  Deno.test(`${kernel}: a kernel that was started anew is another`, () => {
    const faults: Record<string, (opened: Kernel) => void> = {
      "its banner": (opened) =>
        patch(
          opened,
          opened.symbols.address("linux_banner") + 14n,
          Uint8Array.of(0x39),
        ),
      "its secret": (opened) => {
        const at = secret(opened);
        const [low] = opened.space.bytes(at + 3n, 1);
        patch(opened, at + 3n, Uint8Array.of(low ^ 1));
      },
    };
    for (const [what, change] of Object.entries(faults)) {
      const opened = recordedGuest(kernel).describe();
      const { watch, guest } = watched(opened);
      const marks = () =>
        bootMark({
          banner: opened.symbols.address("linux_banner"),
          space: opened.space,
          symbols: opened.symbols,
          types: opened.types,
        });
      const before = marks();
      assert.equal(before, opened.origin?.boot);
      guest.tick();
      assert.equal(watch.look(), "runs");
      change(opened);
      assert.equal(watch.look(), "other", what);
      assert.notEqual(marks(), before, what);
    }
    const { watch, guest } = watched(recordedGuest(kernel).describe());
    guest.tick(-5n);
    assert.equal(watch.look(), "other", "its clock began anew");
  });

  Deno.test(`${kernel}: the same kernel at the same address, started anew, is recognized`, () => {
    const opened = recordedGuest(kernel).describe();
    assert.equal(opened.origin?.changed(), undefined);
    assert.equal(opened.origin?.life(), "runs", "a recording");
    const at = secret(opened);
    const [low] = opened.space.bytes(at + 3n, 1);
    patch(opened, at + 3n, Uint8Array.of(low ^ 1));
    assert.equal(opened.origin?.changed(), "it was started anew");
  });
}
