/**
 * Verifies a recording together with its key log, for `verify`.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { hexDigits } from "../../base/hex.ts";
import { COMMAND, ENTRY_KIND, kindAt, WORD } from "../page/abi.ts";
import { KLOG, type KlogRecord, readKlog } from "../keys/klog.ts";
import { readRecording, recordedBlocks, type Recording } from "./recording.ts";
import {
  SealVerifier,
  type Verification,
  type VisitEntry,
} from "./verifier.ts";

/** No trace has a longer gap; stepping over it would take hours. */
const MOST_MISSING = 2 ** 28;

/** The result of verifying a recording. */
export interface RecordingVerification extends Verification {
  readonly recording: Recording;
  /** Problems other than with entries, one sentence each. */
  readonly problems: readonly string[];
}

/** The nonce of a start record in hex, as in the header of a recording. */
export function nonceText(nonce: Int32Array): string {
  return hexDigits(new Uint8Array(nonce.slice().buffer));
}

/** The key log's records of the trace to which a recording belongs. */
export function recordsOfTrace(
  records: readonly KlogRecord[],
  nonce: string,
  generation: number,
): readonly KlogRecord[] {
  const start = records.findLastIndex((r) =>
    r.type === KLOG.start && r.a === generation && nonceText(r.key) === nonce
  );
  if (start < 0) return [];
  const next = records.findIndex((r, i) => i > start && r.type === KLOG.start);
  return records.slice(start, next < 0 ? undefined : next);
}

/**
 * Whether everything is in order: nothing forged, missing or damaged.
 *
 * @example
 * ```ts ignore
 * import { isClean, verifyRecording } from "xftrace/seal";
 *
 * if (!isClean(verifyRecording("web1.xfs"))) console.error("tampered with");
 * ```
 */
export function isClean(result: RecordingVerification): boolean {
  const { total } = result;
  return result.problems.length === 0 &&
    total.forged + total.missing + total.replayed + total.reordered +
          total.early + total.late === 0;
}

/**
 * Verifies a recording.
 *
 * @param klogPath the key log; default: the one named in the recording
 * @param visit called with each verified entry, opened, in the order of each
 * CPU
 * @throws {XftraceError} when a file cannot be read or has another format.
 *
 * @example
 * ```ts ignore
 * import { verifyRecording } from "xftrace/seal";
 *
 * const { total, problems } = verifyRecording("web1.xfs", "web1.klog");
 * console.log(total.verified, total.forged, total.missing, problems);
 * ```
 */
export function verifyRecording(
  path: string,
  klogPath?: string,
  visit?: VisitEntry,
): RecordingVerification {
  const recording = readRecording(path);
  const { header } = recording;
  const klog = readKlog(klogPath ?? header.klog);
  const records = recordsOfTrace(
    klog.records,
    header.nonce,
    header.generation,
  );
  if (records.length === 0) {
    throw new XftraceError(
      `the key log ${
        klogPath ?? header.klog
      } has no keys for ${path}; give the log of that trace with --klog FILE`,
    );
  }
  const problems = [...klog.problems];
  if (klog.torn > 0) {
    problems.push(`the key log ends in a record of ${klog.torn} bytes`);
  }
  const sent = new Map<number, number>();
  for (const record of records) {
    if (record.type === KLOG.command) sent.set(record.a, record.b);
  }
  const verifier = new SealVerifier(header.seal, (cpu, sequence, words, at) => {
    if (kindAt(words, at) === ENTRY_KIND.command) {
      const number = words[at + WORD.func] >>> 0;
      const command = words[at + WORD.caller];
      if (sent.get(number) !== command) {
        problems.push(
          `the guest's module carried out command ${number} (${
            commandName(command)
          }), which the host did not send`,
        );
      }
    }
    visit?.(cpu, sequence, words, at);
  });
  let ended = false;
  for (const record of records) {
    if (record.type === KLOG.key) {
      verifier.key(record.cpu, record.a, record.key);
    } else if (record.type === KLOG.ack) {
      verifier.taken(record.cpu, record.a, record.b);
    } else if (record.type === KLOG.end) ended = true;
  }
  for (const block of recordedBlocks(recording)) {
    const next = verifier.next(block.cpu);
    if (block.sequence + block.count - next > MOST_MISSING) {
      problems.push(
        `CPU ${block.cpu} jumps from entry ${next} to ${block.sequence}: the rest of it cannot be judged`,
      );
      continue;
    }
    if (block.sequence > next) verifier.end(block.cpu, block.sequence - 1);
    if (block.sequence < next) {
      problems.push(
        `CPU ${block.cpu} goes back from entry ${next} to ${block.sequence}: a block of the recording is there twice`,
      );
      continue;
    }
    if (block.offset === undefined) verifier.lost(block.cpu, block.count);
    else verifier.feed(block.cpu, block.words, block.count);
  }
  for (const record of records) {
    if (record.type === KLOG.stop) verifier.end(record.cpu, record.a);
  }
  if (!ended) {
    problems.push(
      "the key log has no end for this trace: it was not stopped, or it still runs",
    );
  }
  for (const { problem, detail } of recording.findings) {
    problems.push(`while tracing: ${problem}: ${detail}`);
  }
  if (recording.damaged) problems.push("the recording is damaged");
  if (recording.torn > 0) {
    problems.push(
      `the recording ends in ${recording.torn} bytes that are no whole block`,
    );
  }
  return { ...verifier.finish(), recording, problems };
}

function commandName(command: number): string {
  return Object.entries(COMMAND).find(([, n]) => n === command)?.[0] ??
    String(command);
}
