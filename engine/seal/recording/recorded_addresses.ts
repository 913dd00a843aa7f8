/**
 * Addresses in a recording that an earlier collector has written.
 *
 * @module
 */
import { ENTRY, KIND } from "../page/abi.ts";
import { noteAddress, type Running } from "../tracer/running_trace.ts";
import { verifyRecording } from "./verify_recording.ts";

/**
 * Notes the addresses of all verified entries that a recording holds, so that
 * they get their names as those do that were read here.
 *
 * @throws {XftraceError} when recording or key log cannot be read.
 */
export function noteRecorded(running: Running): void {
  if (running.recording === undefined) return;
  verifyRecording(
    running.recording.path,
    running.klog.path,
    (_cpu, _sequence, words, at) => {
      const kind = (words[at + ENTRY.depth / 4] >>> 16) & 0xff;
      if (kind !== KIND.entry && kind !== KIND.return) return;
      noteAddress(running, words, at + ENTRY.func / 4);
      noteAddress(running, words, at + ENTRY.caller / 4);
    },
  );
}
