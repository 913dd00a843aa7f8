/**
 * Counts of test runs. Pure.
 *
 * @module
 */

/** Numbers of tests; steps within a test are not counted separately. */
export interface TestCounts {
  /** Tests that ran and succeeded. */
  readonly passed: number;
  /** Tests that ran and failed, and files that could not be loaded. */
  readonly failed: number;
  /** Tests that did not run. */
  readonly skipped: number;
}

/** Counts of no tests. */
export const NONE: TestCounts = { passed: 0, failed: 0, skipped: 0 };

/** Adds up the counts of two runs. */
export function add(a: TestCounts, b: TestCounts): TestCounts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The last line of a run, always in this form. */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** The last line of `deno test`, such as `ok | 3 passed | ...`. */
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored(?: \([^)]*\))?)?(?: \| \d+ measured)?(?: \| (\d+) filtered out)?/gm;

/**
 * The counts in the last summary that `deno test` printed; `undefined` when
 * there is none.
 */
export function parseSummary(
  output: string,
): TestCounts & { readonly filtered: number } | undefined {
  const last = [...withoutColours(output).matchAll(SUMMARY)].at(-1);
  if (last === undefined) return undefined;
  const [passed, failed, skipped, filtered] = last.slice(1).map((digits) =>
    Number(digits ?? 0)
  );
  return { passed, failed, skipped, filtered };
}

/**
 * The counts of a run that ended with this status. A run that failed without a
 * failed test (code that does not compile, a process that was killed) counts as
 * one failure, so that the last line shows it.
 */
export function countRun(success: boolean, output: string): TestCounts {
  const { passed, failed, skipped } = parseSummary(output) ??
    { ...NONE, failed: success ? 0 : 1 };
  return { passed, failed: success ? failed : Math.max(1, failed), skipped };
}

/** An escape sequence that sets a colour. */
const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

function withoutColours(text: string): string {
  return text.replace(COLOUR, "");
}
