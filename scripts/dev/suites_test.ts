import assert from "node:assert/strict";
import { LONG_SUITE, runsOf, SUITES } from "./suites.ts";

Deno.test("each test file belongs to one run of the usual suites", () => {
  const files = runsOf(SUITES).filter((run) => run.suite !== "examples")
    .flatMap((run) => run.files);
  assert.deepEqual(files, [...new Set(files)]);
  assert.ok(files.includes("scripts/dev/suites_test.ts"));
});

Deno.test("the long suite repeats tests of the usual ones, and runs by name alone", () => {
  const usual = runsOf(SUITES);
  const files = usual.flatMap((run) => run.files);
  assert.ok(usual.every((run) => run.long !== true));
  const long = runsOf([LONG_SUITE]);
  assert.ok(long.length === 4 && long.every((run) => run.long));
  for (const path of long.flatMap((run) => run.files)) {
    // Browsers and databases are too large to be installed for every run.
    const large = /^tests\/(?:browser|readers)\//.test(path);
    assert.ok(files.includes(path) !== large, path);
  }
  assert.ok(long.some((run) => run.guests));
});
