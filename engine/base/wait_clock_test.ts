import assert from "node:assert/strict";
import { WaitClock } from "./wait_clock.ts";

Deno.test("time in which the host lets a guest run counts, other time does not", () => {
  let [ran, queued] = [500, 100];
  const clock = new WaitClock(
    { cpuMs: () => ran, waitMs: () => queued },
    1000,
  );
  // An idle guest neither runs nor waits: all the time counts.
  assert.equal(clock.waited(2000), 1000);
  ran += 60;
  queued += 940;
  // Too soon to look again.
  assert.equal(clock.waited(2100), 1100);
  assert.equal(Math.round(clock.waited(3000)), 1060);
  // It gets all that it wants.
  ran += 1000;
  assert.equal(Math.round(clock.waited(4000)), 2060);
  // Its threads have ended: the counts go back.
  [ran, queued] = [0, 0];
  assert.equal(Math.round(clock.waited(5000)), 3060);
});

Deno.test("where the times are not known, all the time counts", () => {
  assert.equal(new WaitClock({}, 0).waited(700), 700);
});
