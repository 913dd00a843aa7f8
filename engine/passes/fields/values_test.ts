import assert from "node:assert/strict";
import { durationText } from "./values.ts";

Deno.test("durations are shown in suitable units", () => {
  assert.equal(durationText(999), "999 ns");
  assert.equal(durationText(12345), "12.3 us");
  assert.equal(durationText(4.56e9), "4.56 s");
});
