import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { timers } from "./timers.ts";

const TYPES = fixtureTypes({
  hlist_node: { size: 16, members: { next: [0, "u64"], pprev: [8, "u64"] } },
  timer_list: {
    size: 24,
    members: { entry: [0, "hlist_node"], function: [16, "u64"] },
  },
  work_struct: { size: 8, members: { func: [0, "u64"] } },
  delayed_work: {
    size: 32,
    members: { work: [0, "work_struct"], timer: [8, "timer_list"] },
  },
  timer_base: { size: 16, members: { vectors: [8, "u64"] } },
});

Deno.test("a timer that queues work leads to that work's function", () => {
  const guest = new FixtureGuest(TYPES);
  const image = guest.image();
  guest.symbol("delayed_work_timer_fn", image + 0x100n);
  const base = guest.create("timer_base");
  const delayed = guest.create("delayed_work");
  const plain = guest.create("timer_list");
  const timer = guest.at("delayed_work", delayed, "timer");
  guest.setU64(base + 8n, timer);
  guest.setU64(timer, plain);
  guest.setU64(guest.at("timer_list", timer, "function"), image + 0x100n);
  guest.setU64(guest.at("timer_list", plain, "function"), 0x2000n);
  guest.setU64(delayed, 0x1000n);
  const kernel = Object.create(guest.kernel, {
    cpus: { value: [0] },
    perCpu: { value: () => base },
  });
  assert.deepEqual(timers(kernel).map(({ gva, func }) => [gva, func]), [
    [timer, image + 0x100n],
    [delayed, 0x1000n],
    [plain, 0x2000n],
  ]);
});
