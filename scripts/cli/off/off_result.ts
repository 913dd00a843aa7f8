/**
 * How `xftrace off` tells what was collected.
 *
 * @module
 */
import type { CollectorResult } from "../../collector/state.ts";
import { count, note, outLine } from "../terminal.ts";

/** Prints how much was collected, and how much is missing. */
export function tellResult(result: CollectorResult, output: string): void {
  const lines = `${count(result.lines)} lines`;
  const filtered = result.kept < result.events
    ? ` (${count(result.kept)} under the functions asked for)`
    : "";
  outLine(
    `${output}: ${count(result.events)} events collected${filtered}, ${lines}`,
  );
  const lost = `lost: ${count(result.lost)}`;
  const dropped = result.dropped > 0
    ? `, dropped by the guest: ${count(result.dropped)}`
    : "";
  const sure = result.exact
    ? "counts equal the guest's own"
    : "counts could not be compared with the guest's";
  outLine(`${lost}${dropped} (${sure})`);
  if (result.resets > 0) {
    const blind = result.blindResets ?? result.resets;
    note(
      `the guest emptied a CPU's buffer ${result.resets} times; ` +
        (blind === 0
          ? "all had been read by then"
          : `what was not read by then, ${blind} times, is not counted`),
    );
  }
  if (result.truncated) {
    note("the collector's file was cut short; all whole polls were used");
  }
}
