/**
 * A trace that ends: all that was read is verified, the key log is told where
 * each CPU's entries end, the recording gets the last names.
 *
 * @module
 */
import type { ControlPage } from "../page/control_page.ts";
import { KLOG } from "../keys/klog.ts";
import { moduleState, NONE_DROPPED } from "../page/module_state.ts";
import { noteRecorded } from "../recording/recorded_addresses.ts";
import type { Running } from "./running_trace.ts";
import type { SealedSummary } from "./sealed_types.ts";
import { nameAddresses } from "./trace_names.ts";

/**
 * Ends it.
 *
 * @param whole whether the rings were read to their end after switching off
 * @throws {XftraceError} when log or recording cannot be written.
 */
export function endTrace(
  page: ControlPage,
  running: Running,
  whole: boolean,
): Omit<SealedSummary, "findings"> {
  running.backlog.digest();
  running.klog.append(running.rings.map((ring) => {
    const last = whole ? ring.end : ring.next - 1;
    running.verifier.end(ring.area.cpu, last);
    return { type: KLOG.stop, cpu: ring.area.cpu, a: last, b: ring.lost };
  }));
  // Without an end the log says that nobody knows what came after.
  if (whole) running.klog.append([{ type: KLOG.end }]);
  if (running.resumed) noteRecorded(running);
  nameAddresses(running, page.kernel);
  return {
    entries: running.entries,
    lost: running.lost,
    dropped: whole ? moduleState(page).dropped : NONE_DROPPED,
    keySwitches: running.keys.switches,
    verification: running.verifier.finish(),
  };
}
