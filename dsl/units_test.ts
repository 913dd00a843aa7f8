import assert from "node:assert/strict";
import { tryDuration, trySize } from "./units.ts";

Deno.test("durations and sizes with their units", () => {
  assert.equal(tryDuration("100us"), 100_000);
  assert.equal(tryDuration("1.5 ms"), 1_500_000);
  assert.equal(tryDuration("2h"), 7200e9);
  assert.equal(tryDuration("5"), undefined);
  assert.equal(tryDuration("-5s"), undefined);
  assert.equal(trySize("4KiB"), 4096);
  assert.equal(trySize("1 MB"), 1_000_000);
  assert.equal(trySize("4kb"), undefined);
});
