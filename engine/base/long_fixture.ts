/**
 * How often a test repeats what a single run cannot show: a few times in each
 * run of the suites, many times in `deno task test:long`. A test file that
 * imports this belongs to the `long` suite as well.
 *
 * @module
 */

/** Whether this is `deno task test:long`, which sets it. */
export const LONG = Deno.env.get("XFTRACE_TEST_LONG") === "1";

/** The number of repetitions: the first in the usual runs, the second in long ones. */
export function times(usual: number, long = 100 * usual): number {
  return LONG ? long : usual;
}
