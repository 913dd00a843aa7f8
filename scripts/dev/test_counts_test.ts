import assert from "node:assert/strict";
import {
  add,
  closingLine,
  countRun,
  NONE,
  parseSummary,
} from "./test_counts.ts";

const ESC = String.fromCharCode(27);

Deno.test("a summary is read with and without colours", () => {
  assert.deepEqual(
    parseSummary("x ... ok\n\nok | 3 passed | 0 failed (1s)\n"),
    {
      passed: 3,
      failed: 0,
      skipped: 0,
      filtered: 0,
    },
  );
  assert.deepEqual(
    parseSummary(
      `${ESC}[0m${ESC}[31mFAILED${ESC}[0m | 2 passed (2 steps) | 3 failed (1 step) | 1 ignored (1 step) ${ESC}[0m(141ms)\n`,
    ),
    { passed: 2, failed: 3, skipped: 1, filtered: 0 },
  );
  assert.deepEqual(
    parseSummary("ok | 0 passed | 0 failed | 5 filtered out (15ms)"),
    { passed: 0, failed: 0, skipped: 0, filtered: 5 },
  );
});

Deno.test("the last summary counts, not one that a test printed", () => {
  const output = "ok | 99 passed | 0 failed\nFAILED | 1 passed | 1 failed\n";
  assert.deepEqual(countRun(false, output), {
    passed: 1,
    failed: 1,
    skipped: 0,
  });
});

Deno.test("a failed run counts at least one failure", () => {
  const failed = { passed: 0, failed: 1, skipped: 0 };
  assert.deepEqual(countRun(false, "error: TS2322"), failed);
  assert.deepEqual(countRun(false, "ok | 0 passed | 0 failed"), failed);
  assert.deepEqual(countRun(true, ""), NONE);
});

Deno.test("runs are summed up into one last line", () => {
  const sum = add({ passed: 1, failed: 2, skipped: 3 }, {
    passed: 10,
    failed: 20,
    skipped: 30,
  });
  assert.equal(closingLine(sum), "11 passed, 22 failed, 33 skipped");
});
