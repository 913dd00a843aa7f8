import assert from "node:assert/strict";
import { ClockMap } from "../../ftrace/clock/clock_map.ts";
import { alignSealed } from "./sealed_alignment.ts";

/** A wall clock, which is ahead by so much at the start and the end of a look. */
function wall(start: number, end = start, from = 0, until = 1e9) {
  return {
    base: 5_000_000_000n,
    map: new ClockMap([{ from, until, start, end, error: 10, torn: false }]),
  };
}

/** A trace whose guest's clock is behind the wall clock by 7 s. */
function trace(errorNs: number) {
  const at = [0, 1e8, 2e8];
  return {
    start: 0n,
    hostBase: 5_000_000_000n,
    clock: {
      atMost: at.map((from) => ({ from, to: from + 7e8 + errorNs })),
      atLeast: at.map((from) => ({ from, to: from + 7e8 - errorNs })),
    },
  };
}

Deno.test("sealed times come to the time line by way of the wall clock", () => {
  const { map, aligned } = alignSealed(trace(1e6), wall(-2e8), 0n);
  assert.ok(Math.abs(map(1e8) - 6e8) <= 1e6);
  const { errorNs, torn, clock } = aligned;
  assert.equal(clock, "CLOCK_MONOTONIC of the host");
  assert.ok(errorNs !== null && errorNs >= 1e6 && errorNs < 3e6, `${errorNs}`);
  assert.deepEqual(torn, []);
});

Deno.test("a wall clock that was set, or seen much later, makes the error larger", () => {
  const errorOf = (clock: ReturnType<typeof wall>) =>
    alignSealed(trace(1e6), clock, 0n).aligned.errorNs ?? Infinity;
  const least = errorOf(wall(0));
  assert.ok(errorOf(wall(0, 5e6)) >= least + 5e6 - 2e6);
  // An hour later, it may have been slowed down by 500 ppm.
  const later = errorOf(wall(0, 0, 3600e9, 3601e9));
  assert.ok(later > 1.7e9 && later < 1.9e9, `${later}`);
});

Deno.test("without keys, a trace is placed where it began, and nothing is claimed", () => {
  const { map, aligned } = alignSealed(
    {
      start: 40n,
      hostBase: 5_000_000_100n,
      clock: { atMost: [], atLeast: [] },
    },
    wall(-20),
    0n,
  );
  assert.equal(map(50), 90);
  assert.equal(aligned.errorNs, null);
});
