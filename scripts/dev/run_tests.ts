/**
 * Runs the test suites one after the other. The last line sums up:
 * `N passed, N failed, N skipped`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { whyNoLab } from "./lab_ready.ts";
import { runDeno } from "./run_deno.ts";
import { LONG_SUITE, type Run, runsOf, type Suite, SUITES } from "./suites.ts";
import {
  add,
  closingLine,
  countRun,
  NONE,
  parseSummary,
  type TestCounts,
} from "./test_counts.ts";

const USAGE = `usage: deno task test [SUITE...] [FILTER]

Runs the suites ${SUITES.join(", ")} (default: all of them), or only their
tests whose names contain FILTER (/FILTER/ is a regular expression). The suite
${LONG_SUITE} is run only by its name: it takes over ten minutes.

  --failed N   add N failures of earlier checks to the last line
  --no-total   leave out the last line

  deno task test unit
  deno task test live follow

The live tests boot guests. Where none can be booted they are skipped with a
banner; with CI set in the environment that is a failure.
Exit status: 0 when tests ran and none failed, otherwise 1.`;

/** What the command line asks for. */
interface Wish {
  readonly suites: readonly Suite[];
  readonly filter?: string;
  readonly failedBefore: number;
  readonly total: boolean;
}

const wish = readArguments(Deno.args);
const heading = (text: string) => console.log(`\n=== ${text}`);
let counts: TestCounts = { ...NONE, failed: wish.failedBefore };

for (const run of runsOf(wish.suites)) {
  heading(`${run.suite}: ${run.title}`);
  counts = add(counts, await runOne(run));
}
const executed = counts.passed + counts.failed > 0;
if (!executed) {
  console.error(
    wish.filter === undefined
      ? "no test was run"
      : `no test was run: none has "${wish.filter}" in its name`,
  );
}
if (wish.total) console.log(`\n${closingLine(counts)}`);
Deno.exit(executed && counts.failed === 0 ? 0 : 1);

async function runOne(run: Run): Promise<TestCounts> {
  if (run.command !== undefined) {
    if (wish.filter !== undefined) return NONE;
    const { success } = await runDeno([
      run.command,
      ...run.permissions,
      ...run.files,
    ]);
    return success ? { ...NONE, passed: 1 } : { ...NONE, failed: 1 };
  }
  if (run.guests) {
    const reason = await whyNoLab();
    if (reason !== undefined) return await skip(run, reason);
  }
  const filter = wish.filter === undefined ? [] : ["--filter", wish.filter];
  const { success, output } = await runDeno([
    "test",
    ...(run.parallel ? ["--parallel"] : []),
    ...(run.examples ? ["--doc", "--quiet"] : []),
    ...run.permissions,
    ...filter,
    ...run.files,
  ], run.long ? { env: { XFTRACE_TEST_LONG: "1" } } : {});
  return countRun(success, output);
}

/** Counts the tests that would have run; in CI, skipping them is a failure. */
async function skip(run: Run, reason: string): Promise<TestCounts> {
  const ci = !["", "0", "false", undefined].includes(Deno.env.get("CI"));
  const bar = "!".repeat(72);
  console.log(
    `${bar}\n!!! The ${run.suite} tests ${
      ci ? "FAIL" : "are SKIPPED"
    }: no guest can be booted here.\n!!! ${reason}\n${bar}`,
  );
  if (ci) return { ...NONE, failed: 1 };
  // Loads the files and runs nothing: the summary has the number of tests.
  const { output } = await runDeno(
    ["test", ...run.permissions, "--filter", "/$^/", ...run.files],
    { quiet: true },
  );
  const skipped = parseSummary(output)?.filtered ?? 0;
  return { ...NONE, skipped: Math.max(skipped, run.files.length) };
}

function readArguments(args: readonly string[]): Wish {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        failed: { type: "string", default: "0" },
        "no-total": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      Deno.exit(0);
    }
    const isSuite = (word: string): word is Suite =>
      word === LONG_SUITE || SUITES.some((suite) => suite === word);
    const suites = positionals.filter(isSuite);
    const others = positionals.filter((word) => !isSuite(word));
    if (others.length > 1) {
      throw new TypeError(`one filter at a time, not "${others.join('", "')}"`);
    }
    const failedBefore = Number(values.failed);
    if (!Number.isInteger(failedBefore) || failedBefore < 0) {
      throw new TypeError(`--failed takes a number, not "${values.failed}"`);
    }
    return {
      suites: suites.length > 0 ? suites : SUITES,
      ...(others.length > 0 ? { filter: others[0] } : {}),
      failedBefore,
      total: !values["no-total"],
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    Deno.exit(64);
  }
}
