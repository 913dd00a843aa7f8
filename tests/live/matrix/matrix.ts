/**
 * Prints the table of guests on which xftrace is exact: boots each one,
 * records, and compares `info` and `report` with what the guest itself says.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { CASES } from "./cases.ts";
import { type Row, runCase, tableText } from "./run.ts";

const USAGE = `usage: deno task matrix [--full] [--case N,N...]

Boots guests one after the other and prints one line for each way each of them
was read.

  --full     all ${CASES.length} guests, not only those of every test run
  --case N   only these, counted from 1`;

const { values } = parseArgs({
  options: {
    full: { type: "boolean", default: false },
    case: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const wanted = values.case?.split(",").map(Number);
const chosen = CASES.filter((one, index) =>
  wanted === undefined
    ? values.full || one.always === true
    : wanted.includes(index + 1)
);
const rows: Row[] = [];
for (const [index, one] of chosen.entries()) {
  const label = `${index + 1}/${chosen.length}`;
  rows.push(
    ...await runCase(one, (step) => console.error(`${label}: ${step}`)),
  );
}
console.log(tableText(rows));
const wrong = rows.filter((row) => row.wrong.length > 0);
for (const row of wrong) {
  console.log(`${row.case.kernel} ${row.view}:\n  ${row.wrong.join("\n  ")}`);
}
console.log(`${rows.length - wrong.length} of ${rows.length} exact`);
Deno.exit(wrong.length === 0 ? 0 : 1);
