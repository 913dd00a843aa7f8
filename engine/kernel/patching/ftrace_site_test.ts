import assert from "node:assert/strict";
import { FixtureGuest, fixtureTypes } from "../core/kernel_fixture.ts";
import { ftraceSite } from "./ftrace_site.ts";

Deno.test("the position of Ftrace's call in a function", () => {
  const guest = new FixtureGuest(fixtureTypes({}));
  const gva = guest.image();
  const place = guest.space.translate(gva).gpa;
  const starts = (...bytes: number[]) => {
    guest.bytes.fill(0x90, place, place + 16);
    guest.bytes.set(bytes, place);
    return ftraceSite(guest.kernel, gva);
  };
  const nop5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];
  const idle = (ip: bigint) => ({ ip, calls: false });
  const calls = (ip: bigint) => ({ ip, calls: true });
  assert.deepEqual(starts(...nop5), idle(gva));
  assert.deepEqual(starts(0xe8, 1, 2, 3, 4), calls(gva));
  assert.deepEqual(starts(0xcc, 0x1f, 0x44, 0, 0), idle(gva));
  assert.deepEqual(starts(0xf3, 0x0f, 0x1e, 0xfa, ...nop5), idle(gva + 4n));
  assert.deepEqual(
    starts(0x66, 0x0f, 0x1f, 0x00, 0xe8, 1, 2, 3, 4),
    calls(gva + 4n),
  );
  assert.equal(starts(0x55, 0x48, 0x89, 0xe5), undefined);
  assert.equal(starts(0xf3, 0x0f, 0x1e, 0xfa, 0x55), undefined);
});
