import assert from "node:assert/strict";
import { PulledEvents } from "./iterate.ts";

/** Events and the query that feeds them. */
function pulled() {
  const stop = new AbortController();
  const events = new PulledEvents<number>(stop);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  events.feed(promise);
  const loop = { [Symbol.asyncIterator]: () => events };
  return { events, stop, resolve, reject, loop };
}

Deno.test("events are handed on in order, also those from before the loop", async () => {
  const { events, resolve, loop } = pulled();
  events.event(1);
  events.event(0);
  setTimeout(() => {
    events.event(3);
    resolve();
  });
  const seen: number[] = [];
  for await (const event of loop) seen.push(event);
  assert.deepEqual(seen, [1, 0, 3]);
  assert.equal((await events.next()).done, true);
});

Deno.test("a query that fails fails the loop, after what it had found", async () => {
  const { events, reject, loop } = pulled();
  events.event(1);
  reject(new Error("the guest is gone"));
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const event of loop) seen.push(event);
  }, /the guest is gone/);
  assert.deepEqual(seen, [1]);
});

Deno.test("leaving the loop ends the trace, and drops what is queued", async () => {
  const { events, stop, resolve, loop } = pulled();
  events.event(1);
  events.event(2);
  for await (const event of loop) {
    assert.equal(event, 1);
    break;
  }
  assert.equal(stop.signal.aborted, true);
  resolve();
  assert.equal((await events.next()).done, true);
});

Deno.test("several who wait at once get an event each, and all learn of the end", async () => {
  const { events, resolve } = pulled();
  const waiting = [events.next(), events.next(), events.next()];
  events.event(1);
  events.event(2);
  resolve();
  const results = await Promise.all(waiting);
  assert.deepEqual(results.map(({ value }) => value), [1, 2, undefined]);
});
