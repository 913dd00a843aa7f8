/**
 * The last looks at a guest whose trace ends.
 *
 * @module
 */
import { GuestGoneError, KernelError, MemoryError } from "../../base/errors.ts";
import type { RunningTrace } from "./running_trace.ts";

/** Whether the memory of a guest that has ended could be read to its end. */
export function readLeft(trace: RunningTrace): boolean {
  try {
    if (!trace.alive()) return false;
    trace.read(false);
    return true;
  } catch (error) {
    // The memory disappeared with the guest.
    if (error instanceof MemoryError || error instanceof GuestGoneError) {
      return false;
    }
    throw error;
  }
}

/** The last checks of a trace; what cannot be read is a finding. */
export function lastCheck(trace: RunningTrace): void {
  try {
    trace.watch.makeDue();
    trace.check();
  } catch (error) {
    if (!(error instanceof MemoryError || error instanceof KernelError)) {
      throw error;
    }
    trace.report({
      problem: "control page changed",
      detail: `the module could not be checked: ${error.message}`,
    });
  }
}
