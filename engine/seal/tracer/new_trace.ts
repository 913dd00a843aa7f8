/**
 * A trace that begins: its mark in the key log, its recording, its first keys.
 *
 * @module
 */
import { CONTROL, SEAL_NUMBER, type SealName } from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import { KLOG, type Klog } from "../keys/klog.ts";
import { RecordingWriter } from "../recording/recording.ts";
import { recordingHeader } from "../recording/recording_header.ts";
import { beginTrace, type Running } from "./running_trace.ts";
import type { SealedOptions, TracerSession } from "./sealed_types.ts";

/**
 * Begins a trace in a module whose rings have been emptied. The key log stays
 * the caller's when it fails.
 *
 * @throws {XftraceError} when log or recording cannot be written.
 */
export function newTrace(
  session: TracerSession,
  page: ControlPage,
  options: SealedOptions,
  sealName: SealName,
  klog: Klog,
  visit: (words: Int32Array, at: number) => void,
): Running {
  const { klogPath, recordingPath } = options;
  const generation = page.number(CONTROL.generation);
  const seal = SEAL_NUMBER[sealName];
  klog.append([{ type: KLOG.start, a: generation, b: seal, key: page.nonce }]);
  const header = recordingHeader(session, page, seal, generation, klogPath);
  const recording = recordingPath === undefined
    ? undefined
    : RecordingWriter.create(recordingPath, header);
  try {
    const running = beginTrace(
      page,
      options,
      { klog, recording },
      seal,
      generation,
      visit,
    );
    running.keys.rotate();
    return running;
  } catch (error) {
    recording?.[Symbol.dispose]();
    throw error;
  }
}
