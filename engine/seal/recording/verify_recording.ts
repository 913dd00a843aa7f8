/**
 * Verifies a recording together with its key log, for `verify` and for whatever
 * uses a recording's content. Everything that it hands out has been
 * authenticated, or is said not to be.
 *
 * @module
 */
import type { ClockBounds } from "../../ftrace/clock/clock_map.ts";
import { KLOG } from "../keys/klog_format.ts";
import type { KlogRecords } from "../keys/klog_records.ts";
import { COMMAND, ENTRY_KIND, kindAt, SEAL_NUMBER, WORD } from "../page/abi.ts";
import { STANDS_STILL } from "../page/presence.ts";
import { Authentication, RecordingKey } from "./authentication.ts";
import { BlockReader } from "./block_reader.ts";
import { KeyTimes } from "./key_times.ts";
import { openWithKeys } from "./open_with_keys.ts";
import {
  BLOCK,
  decodeFinding,
  type Names,
  type RecordedFinding,
  RecordedNames,
  type RecordingHeader,
} from "./recording_format.ts";
import {
  SealVerifier,
  type Verification,
  type VisitEntry,
} from "./verifier.ts";

/** Maximum number of problems of a kind that are listed. */
const MOST_PROBLEMS = 1000;

/** What a recording says about itself. */
export interface Recording {
  readonly path: string;
  /** The key log with which it was verified. */
  readonly klog: string;
  readonly header: RecordingHeader;
  /** XFT_SEAL_*, as the key log says. */
  readonly seal: number;
  /** When the trace began, in ms since 1970, as the key log says. */
  readonly started: number;
  readonly names: Names;
  /** Problems with the module found while tracing. */
  readonly findings: readonly RecordedFinding[];
  /** How many of them were found before the last entries were recorded. */
  readonly findingsBefore: number;
  /** Number of bytes after the last complete block. */
  readonly torn: number;
  /** Whether something else is found where a block should start. */
  readonly damaged: boolean;
}

/** The result of verifying a recording. */
export interface RecordingVerification extends Verification {
  readonly recording: Recording;
  /** Problems other than with entries, one sentence each. */
  readonly problems: readonly string[];
  /**
   * How many of the problems only show that the trace was not ended: it still
   * runs, or its collector was killed or could not write its files.
   */
  readonly unended: number;
  /**
   * Why a part of the recording was believed without being authenticated;
   * `undefined`: nothing was.
   */
  readonly unauthenticated: string | undefined;
  /**
   * What the key log says of the guest's clock: from ns of it to ns of the
   * host's wall clock since the ms in which the trace began.
   */
  readonly clock: ClockBounds;
}

/** What is known before the entries are read. */
export interface RecordingBegin {
  readonly header: RecordingHeader;
  /** Filled while the recording is read: complete after the last entry. */
  readonly names: Names;
}

/**
 * Whether everything is in order: nothing forged, missing or damaged, and all
 * of it authenticated.
 *
 * @example
 * ```ts ignore
 * import { isClean, verifyRecording } from "xftrace/seal";
 *
 * if (!isClean(verifyRecording("web1.xfs"))) console.error("tampered with");
 * ```
 */
export function isClean(result: RecordingVerification): boolean {
  return result.unauthenticated === undefined && isUnharmed(result);
}

/**
 * Whether nothing was found to be wrong, though a part may not be
 * authenticated.
 *
 * @example
 * ```ts ignore
 * import { isUnharmed, verifyRecording } from "xftrace/seal";
 *
 * const result = verifyRecording("web1.xfs");
 * if (isUnharmed(result)) console.log(result.unauthenticated ?? "all verified");
 * ```
 */
export function isUnharmed(result: RecordingVerification): boolean {
  const { total } = result;
  return result.problems.length === 0 &&
    total.forged + total.missing + total.replayed + total.reordered +
          total.early + total.late === 0;
}

/**
 * Whether a trace was only not ended: all that is there is genuine, but nobody
 * can say what came after it.
 *
 * @example
 * ```ts ignore
 * import { isOnlyUnended, verifyRecording } from "xftrace/seal";
 *
 * const result = verifyRecording("web1.xfs");
 * if (isOnlyUnended(result)) console.log(result.total.verified, "are genuine");
 * ```
 */
export function isOnlyUnended(result: RecordingVerification): boolean {
  return result.unended > 0 && result.problems.length === result.unended &&
    isUnharmed({ ...result, problems: [] });
}

/**
 * Whether nothing is wrong but that the trace was not ended, because its guest
 * was restarted. By the recording alone it may as well have pretended that:
 * whether it was is for whoever can look at the guest.
 *
 * @example
 * ```ts ignore
 * import { isOnlyRestarted, verifyRecording } from "xftrace/seal";
 *
 * const result = verifyRecording("web1.xfs");
 * if (isOnlyRestarted(result)) console.log("the guest was restarted, it says");
 * ```
 */
export function isOnlyRestarted(result: RecordingVerification): boolean {
  const { findings, findingsBefore } = result.recording;
  const { unended, problems, unauthenticated } = result;
  // A clock that stands still is no sign of a restart if it goes on.
  return findings.every(isRestart) && findingsBefore === 0 &&
    findings.length > 0 && unauthenticated === undefined && unended > 0 &&
    problems.length === unended + findings.length &&
    isUnharmed({ ...result, problems: [] });
}

/** Whether a problem is what a restart looks like. */
function isRestart({ problem, detail }: RecordedFinding): boolean {
  return problem === "guest restarted" ||
    problem === "no heartbeat" && detail === STANDS_STILL;
}

/**
 * Verifies a recording.
 *
 * @param klogPath the key log; default: the one beside the recording that it
 * names
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
  return readVerified(path, klogPath, () => visit);
}

/**
 * Like {@linkcode verifyRecording}, for visitors that need the header or the
 * names.
 *
 * @param begin called once before the first entry
 * @throws {XftraceError} when a file cannot be read or has another format.
 */
export function readVerified(
  path: string,
  klogPath: string | undefined,
  begin: (recording: RecordingBegin) => VisitEntry | undefined,
): RecordingVerification {
  using open = openWithKeys(path, klogPath);
  const { file, klog, start } = open;
  const { header } = file.start;
  const table = new RecordedNames();
  const { names } = table;
  const problems: string[] = [...klog.problems];
  const unended: string[] = [];
  const recordingKey = new RecordingKey(klog.records);
  // A writer that was killed leaves what it had not written to the end.
  const { ended } = recordingKey;
  const cut = ended ? problems : unended;
  if (klog.torn > 0) {
    cut.push(`the key log ends in a record of ${klog.torn} bytes`);
  }
  const seal = start.b;
  if (header.seal !== seal) {
    problems.push(
      `the recording says that its seal is ${
        sealName(header.seal)
      }, and the key log ${sealName(seal)}`,
    );
  }
  const check = new Authentication(file, recordingKey);
  if (check.unbegun !== undefined) cut.push(check.unbegun);
  const visitor = begin({ header, names });
  const findings: RecordedFinding[] = [];
  let findingsBefore = 0;
  const times = new KeyTimes(klog.records, start.time);
  const verifier = new SealVerifier(
    seal,
    commandsChecked(klog.records, problems, (cpu, sequence, words, at) => {
      times.visit(cpu, sequence, words, at);
      visitor?.(cpu, sequence, words, at);
    }),
  );
  for (const { type, cpu, a, b, key } of klog.records) {
    if (type === KLOG.key) verifier.key(cpu, a, key);
    else if (type === KLOG.ack) verifier.taken(cpu, a, b);
  }
  const ends = Array.from(
    klog.records.ofType(KLOG.stop),
    ({ cpu, a }) => ({ cpu, last: a }),
  );
  // The verifier has them by now.
  klog.records.wipe();
  const reading = new BlockReader(verifier, seal, problems);
  for (const block of check.judged()) {
    const believed = block.authentic || check.withoutTags;
    if (block.type === BLOCK.names) {
      if (believed) table.add(block.body);
    } else if (block.type === BLOCK.finding) {
      // Whoever adds one gains nothing, and one that was changed still says
      // that there was one.
      if (findings.length < MOST_PROBLEMS) {
        findings.push(decodeFinding(block.body));
      }
    } else {
      findingsBefore = findings.length;
      reading.block(block, believed);
    }
  }
  for (const { cpu, last } of ends) reading.end(cpu, last);
  if (!ended) {
    unended.push(
      "the key log has no end for this trace: it was not stopped, or it still runs",
    );
  }
  for (const { problem, detail } of findings) {
    problems.push(`while tracing: ${problem}: ${detail}`);
  }
  if (file.damaged) problems.push("the recording is damaged");
  if (file.torn > 0) {
    cut.push(
      `the recording ends in ${file.torn} bytes that are no whole block`,
    );
  }
  const result = {
    ...verifier.finish(),
    recording: {
      path,
      klog: open.klogPath,
      header,
      seal,
      started: start.time,
      names,
      findings,
      findingsBefore,
      torn: file.torn,
      damaged: file.damaged,
    },
    problems: [...unended, ...problems, ...check.problems],
    unended: unended.length,
    clock: times.bounds(),
    unauthenticated: check.withoutTags
      ? "it was recorded by a version before 0.3, so its header, the names of functions, lost entries and problems found while tracing are not authenticated: anybody who could write to the file could change them, or leave them out"
      : undefined,
  };
  check.wipe();
  verifier.wipe();
  return result;
}

/** Reports commands that the host did not send, then calls `visit`. */
function commandsChecked(
  records: KlogRecords,
  problems: string[],
  visit: VisitEntry,
): VisitEntry {
  const sent = new Map<number, number>();
  for (const { a, b } of records.ofType(KLOG.command)) sent.set(a, b);
  let foreign = 0;
  return (cpu, sequence, words, at) => {
    if (kindAt(words, at) === ENTRY_KIND.command) {
      const number = words[at + WORD.func] >>> 0;
      const command = words[at + WORD.caller];
      if (sent.get(number) !== command && foreign++ < MOST_PROBLEMS) {
        problems.push(
          `the guest's module carried out command ${number} (${
            commandName(command)
          }), which the host did not send`,
        );
      }
    }
    visit(cpu, sequence, words, at);
  };
}

function sealName(seal: number): string {
  return Object.entries(SEAL_NUMBER).find(([, n]) => n === seal)?.[0] ??
    String(seal);
}

function commandName(command: number): string {
  return Object.entries(COMMAND).find(([, n]) => n === command)?.[0] ??
    String(command);
}
