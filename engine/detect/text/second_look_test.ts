import assert from "node:assert/strict";
import { ModuleGuest } from "../core/module_fixture.ts";
import { isAsRead } from "./second_look.ts";

/** What is said of a place when a byte of the text has changed since. */
function asRead(at: number, changed: number, live = true): boolean {
  const { guest } = new ModuleGuest(live);
  const start = guest.image(2);
  const end = start + 0x1000n;
  const bytes = guest.space.bytes(start, 0x1000);
  guest.view.setUint8(guest.gpa(start) + changed, 0xcc);
  return isAsRead(guest.kernel, { start, end, bytes }, at);
}

Deno.test("text around a place that has changed is not as it was read", () => {
  assert.equal(asRead(100, 110), false);
  assert.equal(asRead(100, 90), false);
  assert.equal(asRead(0, 3), false);
  assert.equal(asRead(100, 200), true);
});

Deno.test("a recording is as it was read", () => {
  assert.equal(asRead(100, 100, false), true);
});
