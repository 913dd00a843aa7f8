import assert from "node:assert/strict";
import { Pauses } from "./pauses.ts";

/** What is left out, asked every 500 ms while the guest runs as given. */
function leftOut(msASecond: (second: number) => number, seconds: number) {
  let ran = 100;
  const pauses = new Pauses({ cpuMs: () => ran }, 0);
  let sum = 0;
  for (let now = 500; now <= seconds * 1000; now += 500) {
    ran += msASecond((now - 500) / 1000) / 2;
    sum += pauses.passed(now);
  }
  return sum;
}

Deno.test("a guest that idles is not paused", () => {
  assert.equal(leftOut(() => 0.2, 60), 0);
});

Deno.test("time in which the guest was paused is left out", () => {
  assert.equal(leftOut(() => 0, 60), 60_000);
  const most = leftOut((at) => at >= 11 && at < 71 ? 0 : 20, 90);
  assert(most >= 56_000 && most <= 60_000, String(most));
});

Deno.test("a monitor that asks a paused guest's processors does not resume it", () => {
  assert.equal(leftOut((at) => at % 10 === 0 ? 0.04 : 0, 60), 60_000);
});

Deno.test("what the hypervisor says counts, though its monitor makes it run", () => {
  let ran = 100;
  let stopped = false;
  const pauses = new Pauses({ cpuMs: () => ran, paused: () => stopped }, 0);
  let sum = 0;
  for (let now = 500; now <= 90_000; now += 500) {
    stopped = now > 12_000 && now <= 72_000;
    ran += stopped ? 0.4 : 10;
    sum += pauses.passed(now);
  }
  assert(sum >= 58_000 && sum <= 62_000, String(sum));
});

Deno.test("a process that is gone is not paused", () => {
  let ran = 100;
  const pauses = new Pauses({ cpuMs: () => ran }, 0);
  ran = 0;
  for (let now = 500; now <= 60_000; now += 500) {
    assert.equal(pauses.passed(now), 0);
  }
});

Deno.test("nothing is left out where the time is not known", () => {
  assert.equal(new Pauses({}, 0).passed(60_000), 0);
});

Deno.test("time is left out as far as the guest's processors waited for the host's", () => {
  // 64 processors of a guest share two of the host's.
  let [ran, waited] = [0, 0];
  const times = { cpuMs: () => ran, waitMs: () => waited };
  const pauses = new Pauses(times, 0);
  let sum = 0;
  for (let now = 500; now <= 64_000; now += 500) {
    ran += 2 * 500;
    waited += 62 * 500;
    sum += pauses.passed(now);
  }
  assert.equal(Math.round(64_000 - sum), 2000);
});

Deno.test("a host that is busy is no pause", () => {
  let [ran, waited] = [0, 0];
  const times = { cpuMs: () => ran, waitMs: () => waited };
  const pauses = new Pauses(times, 0);
  for (let now = 500; now <= 60_000; now += 500) {
    ran += 300;
    waited += 700;
    assert.equal(pauses.passed(now), 0);
  }
});
