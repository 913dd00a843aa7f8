import assert from "node:assert/strict";
import { HOST_CLOCKS, HostClock } from "./host_clock.ts";

Deno.test("the host's clocks go on, and agree on how long it takes", async () => {
  const names = Object.keys(HOST_CLOCKS) as (keyof typeof HOST_CLOCKS)[];
  const clocks = names.map((name) => new HostClock(name));
  const before = clocks.map((clock) => clock.now());
  assert.ok(before.every((ns) => ns >= 0 && ns < 10e9));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const passed = clocks.map((clock, i) => clock.now() - before[i]);
  for (const ns of passed) {
    assert.ok(ns > 45e6 && Math.abs(ns - passed[0]) < 20e6, `${passed}`);
  }
});

Deno.test("the monotonic clock is the one of /proc/uptime, unless it slept", () => {
  const clock = new HostClock();
  const [uptime] = Deno.readTextFileSync("/proc/uptime").split(" ").map(Number);
  const seconds = Number(clock.base) / 1e9 + clock.now() / 1e9;
  assert.ok(seconds > 0 && seconds <= uptime + 1, `${seconds} ${uptime}`);
});
