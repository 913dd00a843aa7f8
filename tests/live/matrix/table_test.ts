/** Guests of all kinds: `info` and `report` are exact on each. */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { CASES } from "./cases.ts";
import { type Row, runCase, tableText } from "./run.ts";

// `deno task matrix --full` prints the whole table.
Deno.test("info and report are exact on guests of all kinds", async () => {
  const rows: Row[] = [];
  for (const one of CASES) {
    if (one.always === true || LONG) rows.push(...await runCase(one));
  }
  console.log(`\n${tableText(rows)}`);
  assert.deepEqual(rows.flatMap((row) => row.wrong), []);
});
