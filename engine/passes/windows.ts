/**
 * What sinks come to in each interval of `every`.
 *
 * @module
 */

/** One interval of a trace with `every`, and what a sink came to in it. */
export interface Window<R> {
  /** Where it begins, ns since the trace began. */
  readonly from: number;
  /** Where it ends, ns since the trace began; it is not part of it. */
  readonly to: number;
  readonly result: R;
}

/** The heading under which a window's text is shown. */
export function windowHeading(window: Window<unknown>): string {
  return `-- ${(window.to / 1e9).toFixed(3)} s\n`;
}
