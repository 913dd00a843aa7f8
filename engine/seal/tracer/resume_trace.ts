/**
 * A trace whose collector has ended without stopping it, put together again
 * from its key log and its recording.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { COMMAND, CONTROL } from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import { KLOG, Klog } from "../keys/klog.ts";
import { RecordingWriter } from "../recording/recording.ts";
import { beginTrace, restoreKeys, type Running } from "./running_trace.ts";
import type { SealedOptions } from "./sealed_types.ts";
import { nonceText, recordsOfTrace } from "../recording/verify_recording.ts";

/** A trace that can be gone on with. */
export interface ResumedTrace {
  readonly running: Running;
  /** Commands that the host gave in it: number and which. */
  readonly commands: readonly (readonly [number: number, command: number])[];
}

/**
 * Puts it together.
 *
 * @throws {XftraceError} when log and recording are not those of what the
 * guest's module does now.
 */
export function resumeTrace(
  page: ControlPage,
  options: SealedOptions,
  visit: (words: Int32Array, at: number) => void,
): ResumedTrace {
  const { recordingPath, klogPath } = options;
  if (recordingPath === undefined) {
    throw new XftraceError(
      "a trace that was not recorded cannot be taken over; start a new one",
    );
  }
  const klog = new Klog(klogPath);
  let writer: RecordingWriter | undefined;
  try {
    const resumed = RecordingWriter.resume(recordingPath);
    writer = resumed.writer;
    const { header, blocks } = resumed.reading;
    const generation = page.number(CONTROL.generation);
    const nonce = nonceText(page.nonce);
    const records = recordsOfTrace(klog.before.records, nonce, generation);
    if (
      records.length === 0 || header.generation !== generation ||
      header.nonce !== nonce
    ) {
      throw new XftraceError(
        `${recordingPath} and ${klogPath} are not of the trace that the guest runs; start a new one`,
      );
    }
    const files = { klog, recording: writer };
    const running = beginTrace(
      page,
      options,
      files,
      header.seal,
      generation,
      visit,
    );
    restoreKeys(records, running);
    running.resumed = true;
    const commands = records.filter(({ type }) => type === KLOG.command)
      .map(({ a, b }) => [a, b] as const);
    // It was being stopped when its collector ended: no checks of a trace.
    running.closing = commands.at(-1)?.[1] === COMMAND.unregister;
    // What the recording has counts as read; its seals were seen to then.
    for (const ring of running.rings) {
      const last = blocks.findLast((b) => b.cpu === ring.area.cpu);
      ring.next = last === undefined ? 1 : last.sequence + last.count;
      running.verifier.skip(ring.area.cpu, ring.next);
    }
    return { running, commands };
  } catch (error) {
    writer?.[Symbol.dispose]();
    klog[Symbol.dispose]();
    throw error;
  }
}
