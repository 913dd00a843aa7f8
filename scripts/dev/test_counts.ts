/**
 * What test runs counted. Pure.
 *
 * @module
 */

/** Numbers of tests; steps inside a test are not counted by themselves. */
export interface TestCounts {
  /** Tests that ran and held. */
  readonly passed: number;
  /** Tests that ran and did not hold, and files that could not be loaded. */
  readonly failed: number;
  /** Tests that did not run. */
  readonly skipped: number;
}

/** No test at all. */
export const NONE: TestCounts = { passed: 0, failed: 0, skipped: 0 };

/** The sum of two runs. */
export function add(a: TestCounts, b: TestCounts): TestCounts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The closing line of a run, always in this form. */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** What `deno test` prints as its last line, such as `ok | 3 passed | ...`. */
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored(?: \([^)]*\))?)?(?: \| \d+ measured)?(?: \| (\d+) filtered out)?/gm;

/**
 * The counts of a `deno test` run, from the summary it printed last; nothing
 * when it did not get so far.
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
 * The counts of a run that ended with this status. A run that failed without
 * naming a failed test (code that does not compile, a process that was
 * killed) counts as one failure: the closing line never hides it.
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
