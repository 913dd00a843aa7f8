/**
 * The results of sinks for each interval of `every`.
 *
 * @module
 */

/** An interval of a trace with `every`, and the result of a sink for it. */
export interface Window<R> {
  /** Its start, in ns since the trace began. */
  readonly from: number;
  /** Its end, which it does not include, in ns since the trace began. */
  readonly to: number;
  readonly result: R;
}

/** The heading above a window's text. */
export function windowHeading(window: Window<unknown>): string {
  return `-- ${(window.to / 1e9).toFixed(3)} s\n`;
}
