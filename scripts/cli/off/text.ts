/**
 * What `xftrace off` says, whatever kind of trace it ends.
 *
 * @module
 */
import { XftraceError } from "xftrace";
import type { TraceArray } from "xftrace/ftrace";
import { guestTextOptions, unfollowedSettings } from "xftrace/output";
import type { CollectorResult } from "../../collector/state.ts";
import type { GraphFlags } from "../graph_options.ts";
import type { TargetOptions } from "../target.ts";
import { count, note, outLine } from "../terminal.ts";

/** The name of this command, for others that find the guest in use. */
export const WHO_OFF = "`xftrace off`";

/** Values of the options of `off`. */
export interface OffOptions extends TargetOptions, GraphFlags {
  readonly output: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** The error of `off` when there is nothing that it may act on. */
export function noTrace(): XftraceError {
  return new XftraceError(
    "no trace of `xftrace on` is on; to stop what a guest records by itself, name it with -t",
  );
}

/** Names the guest's display settings that the text does not follow. */
export function noteUnfollowed(instance: TraceArray): void {
  const text = guestTextOptions(instance);
  for (const each of unfollowedSettings(instance.tracer, text)) note(each);
}

/** Prints how much was collected, and how much is missing. */
export function tell(result: CollectorResult, output: string): void {
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
