/**
 * A sealed trace while it runs: its keys, the rings that are read, its key log
 * and its recording. It begins with empty rings, or continues where a collector
 * has ended.
 *
 * @module
 */
import { basename } from "node:path";
import { XftraceError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  COMMAND,
  CONTROL,
  ENTRY_KIND,
  kindAt,
  SEAL_NUMBER,
  type SealName,
  WORD,
} from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import { KeyController } from "../keys/key_controller.ts";
import { Klog } from "../keys/klog.ts";
import { KLOG, nonceText } from "../keys/klog_format.ts";
import type { KlogRecords } from "../keys/klog_records.ts";
import type { CommandProgress } from "../page/mailbox.ts";
import type { PresenceFinding } from "../page/presence.ts";
import {
  checkpointEntry,
  RecordingKey,
  recordingKeyEntry,
} from "../recording/authentication.ts";
import { Backlog } from "../recording/backlog.ts";
import { RecordingWriter } from "../recording/recording.ts";
import {
  type RecordingHeader,
  TAG_BYTES,
} from "../recording/recording_format.ts";
import {
  SealVerifier,
  type Verification,
  type VisitEntry,
} from "../recording/verifier.ts";
import { verifyRecording } from "../recording/verify_recording.ts";
import { RingFollower } from "./ring_follower.ts";
import { dispatcherRanges, type SealedConfig } from "./trace_config.ts";
import { TraceNames } from "./trace_names.ts";
import { Watch, type WatchedModule } from "./watch.ts";

/** Milliseconds of each poll that are spent on verification. */
const VERIFY_MS = 20;
/**
 * Interval in milliseconds between two notes in the key log about what the
 * recording contains.
 */
const CHECKPOINT_MS = 1000;
/** Maximum number of problems that are kept; the guest decides how many occur. */
const MOST_FINDINGS = 1000;
/**
 * Maximum time in milliseconds for what is left to verify at the end; only a
 * guest that claims to have overwritten billions of entries needs more.
 */
const LAST_VERIFY_MS = 120_000;

/**
 * Of how many epochs of a CPU the keys are kept while tracing, so that a trace
 * may last for weeks: with a key every 10 ms, those of the last 40 seconds. The
 * verification of the recording knows all of them.
 */
const KEPT_EPOCHS = 4096;

/** Options of a sealed trace. */
export interface SealedOptions extends SealedConfig {
  /** Interval between two keys in milliseconds; default 100. */
  readonly rotateMs?: number;
  /** Path of the key log, which is created if it does not exist. */
  readonly klogPath: string;
  /**
   * Path of the recording, which is overwritten; without it entries are not
   * stored.
   */
  readonly recordingPath?: string;
  /**
   * Called with each verified entry, opened, in the order of its CPU. Use the
   * entry at once, since its memory is reused.
   */
  readonly onEntry?: VisitEntry;
  /** Interval between two heartbeats in milliseconds; default 500. */
  readonly heartbeatMs?: number;
  /**
   * Interval between two checks of the module's text in milliseconds; default
   * 5000.
   */
  readonly checkMs?: number;
  /**
   * Maximum time for a command in milliseconds; default 120,000, since
   * registering all functions takes long under emulation.
   */
  readonly commandMs?: number;
  /** Called while waiting for a command. */
  readonly onProgress?: (progress: CommandProgress) => void;
}

/** The files of a trace. */
interface TraceFiles {
  readonly klog: Klog;
  /** `undefined`: entries are not stored. */
  readonly recording: RecordingWriter | undefined;
}

/** A trace that is running. */
export class RunningTrace implements Disposable {
  readonly options: SealedOptions;
  /** Checks the module at its own intervals. */
  readonly watch: Watch;
  readonly rings: RingFollower;
  /** Whether a previous collector had already begun to stop this trace. */
  readonly closing: boolean;
  readonly #kernel: Kernel;
  readonly #module: WatchedModule;
  readonly #files: TraceFiles;
  readonly #keys: KeyController;
  readonly #verifier: SealVerifier;
  readonly #backlog: Backlog;
  readonly #names = new TraceNames();
  /** The key log's records of a trace that was taken over. */
  readonly #resumed: KlogRecords | undefined;
  readonly #seen = new Set<string>();
  readonly #findings: PresenceFinding[] = [];
  #nextRotation: number;
  #nextCheckpoint = 0;
  /** Number of the recording's blocks at the last checkpoint. */
  #noted = -1;

  private constructor(
    module: WatchedModule,
    options: SealedOptions,
    files: TraceFiles,
    seal: number,
    resumed?: KlogRecords,
  ) {
    const { page } = module;
    this.options = options;
    this.#kernel = page.kernel;
    this.#module = module;
    this.#files = files;
    this.#resumed = resumed;
    this.#verifier = new SealVerifier(seal, (cpu, sequence, words, at) => {
      this.#look(words, at);
      options.onEntry?.(cpu, sequence, words, at);
    }, { keptEpochs: KEPT_EPOCHS });
    this.#keys = new KeyController(page, files.klog, {
      sent: (cpu, epoch, key) => this.#verifier.key(cpu, epoch, key),
      taken: (cpu, epoch, first) => this.#verifier.taken(cpu, epoch, first),
    });
    this.#backlog = new Backlog(this.#verifier);
    this.rings = new RingFollower(page, {
      recording: files.recording,
      backlog: this.#backlog,
      report: (finding) => this.report(finding),
    });
    const generation = page.number(CONTROL.generation);
    this.watch = new Watch(module, { ...options, seal, generation });
    this.#nextRotation = performance.now() + (options.rotateMs ?? 100);
    const last = this.givenBefore.at(-1)?.[1];
    this.closing = last === COMMAND.unregister;
  }

  /**
   * Begins a trace in a module with empty rings: writes its start to the key
   * log, creates the recording, and sends the first keys. On failure the key
   * log remains the caller's.
   *
   * @throws {XftraceError} when the log or the recording cannot be written, or
   * the module states something impossible.
   */
  static begin(
    target: string,
    module: WatchedModule,
    options: SealedOptions,
    sealName: SealName,
    klog: Klog,
  ): RunningTrace {
    const { page } = module;
    const { klogPath, recordingPath } = options;
    const seal = SEAL_NUMBER[sealName];
    const a = page.number(CONTROL.generation);
    if (!Number.isSafeInteger(a)) {
      throw new XftraceError(
        `the guest's module claims to have been started ${a} times; load it again`,
      );
    }
    const start = { type: KLOG.start, a, b: seal, key: page.nonce };
    let recording: RecordingWriter | undefined;
    if (recordingPath === undefined) klog.append([start]);
    else {
      // The key is on disk before anything depends on it.
      const key = crypto.getRandomValues(new Uint8Array(TAG_BYTES));
      klog.append([start, recordingKeyEntry(key)]);
      const header = recordingHeader(target, page, seal, a, klogPath);
      recording = RecordingWriter.create(recordingPath, header, key);
      key.fill(0);
    }
    try {
      const files = { klog, recording };
      const trace = new RunningTrace(module, options, files, seal);
      trace.#checkpoint();
      trace.#keys.rotate();
      return trace;
    } catch (error) {
      recording?.[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Continues a trace whose collector has ended without stopping it, from its
   * key log and its recording.
   *
   * @throws {XftraceError} when the log and the recording do not belong to the
   * trace that the guest's module is running.
   */
  static resume(module: WatchedModule, options: SealedOptions): RunningTrace {
    const { page } = module;
    const { recordingPath, klogPath } = options;
    if (recordingPath === undefined) {
      throw new XftraceError(
        "a trace that was not recorded cannot be taken over; start a new one",
      );
    }
    const generation = page.number(CONTROL.generation);
    const nonce = nonceText(page.nonce);
    const klog = new Klog(klogPath, { nonce, generation });
    let recording: RecordingWriter | undefined;
    try {
      const { records } = klog.before;
      const others = () =>
        new XftraceError(
          `${recordingPath} and ${klogPath} are not of the trace that the guest runs; start a new one`,
        );
      const start = records.first;
      if (start === undefined) throw others();
      const { writer, header, next } = RecordingWriter.resume(
        recordingPath,
        new RecordingKey(records),
      );
      recording = writer;
      if (header.generation !== generation || header.nonce !== nonce) {
        throw others();
      }
      const files = { klog, recording };
      const trace = new RunningTrace(
        module,
        options,
        files,
        start.b,
        records,
      );
      trace.#keys.resume(records);
      // What is in the recording has been read, and its seals were verified
      // then.
      trace.rings.skip(next, (cpu, next) => trace.#verifier.skip(cpu, next));
      return trace;
    } catch (error) {
      recording?.[Symbol.dispose]();
      klog[Symbol.dispose]();
      throw error;
    }
  }

  /** Commands that previous collectors sent during this trace. */
  get givenBefore(): readonly (readonly [number: number, command: number])[] {
    const given = this.#resumed?.ofType(KLOG.command) ?? [];
    return Array.from(given, ({ a, b }) => [a, b] as const);
  }

  /** Number of keys that the guest's CPUs have taken. */
  get keySwitches(): number {
    return this.#keys.switches;
  }

  /** Entries that have been read but not verified yet. */
  get unverified(): number {
    return this.#backlog.waiting;
  }

  /** Size of the recording in bytes. */
  get recordedBytes(): number {
    return this.#files.recording?.size ?? 0;
  }

  /** Problems found so far, without duplicates. */
  get findings(): readonly PresenceFinding[] {
    return this.#findings;
  }

  /**
   * Records a problem with the module, unless it has been recorded before, or
   * there are a thousand already.
   */
  report(finding: PresenceFinding): void {
    if (this.#findings.length >= MOST_FINDINGS) return;
    const key = `${finding.problem} ${finding.detail}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#findings.push(finding);
    // Verification of the recording must know of it later.
    this.#files.recording?.finding(finding);
    this.#checkpoint();
  }

  /**
   * Notes in the key log what the recording contains, so that nothing can be
   * cut off unnoticed.
   */
  #checkpoint(): void {
    const { klog, recording } = this.#files;
    this.#nextCheckpoint = performance.now() + CHECKPOINT_MS;
    if (recording === undefined || recording.blocks === this.#noted) return;
    const { blocks, size, tag } = recording;
    this.#noted = blocks;
    klog.append([checkpointEntry(blocks, size, tag)], false);
  }

  /** The key log. */
  get klog(): Klog {
    return this.#files.klog;
  }

  /** Examines a verified entry: its addresses, or who sent the command. */
  #look(words: Int32Array, at: number): void {
    const kind = kindAt(words, at);
    if (kind === ENTRY_KIND.entry || kind === ENTRY_KIND.return) {
      this.#names.note(words, at);
    } else if (kind === ENTRY_KIND.command) {
      const number = words[at + WORD.func] >>> 0;
      const command = words[at + WORD.caller];
      if (this.#module.mailbox.sent.get(number) === command) return;
      this.report({
        problem: "foreign command",
        detail:
          `the module carried out command ${number} (kind ${command}), which the host did not send`,
      });
    }
  }

  /**
   * Reads the rings, and finds out which keys were taken.
   *
   * @param rotate whether to send new keys when they are due
   * @throws {MemoryError} when the guest's memory can no longer be read.
   */
  read(rotate: boolean): void {
    this.rings.read(() => this.#tendKeys(rotate));
  }

  /** Finds out which keys were taken, and sends new ones when they are due. */
  #tendKeys(rotate: boolean): void {
    for (const finding of this.#keys.watch()) this.report(finding);
    const now = performance.now();
    if (!rotate || now < this.#nextRotation) return;
    this.#nextRotation = now + (this.options.rotateMs ?? 100);
    this.#keys.rotate();
  }

  /** Whether the module is still loaded; reports it if not. */
  alive(): boolean {
    if (this.#module.page.alive) return true;
    const restarted = this.#kernel.origin?.life() === "other";
    this.report(
      restarted
        ? {
          problem: "guest restarted",
          detail:
            "by what its memory says, the guest runs another kernel: what the module had not handed out is lost",
        }
        : {
          problem: "module gone",
          detail: "the module was unloaded: what it had not handed out is lost",
        },
    );
    return false;
  }

  /** Reads, rotates keys, and verifies until the next keys are due. */
  step(): void {
    if (!this.alive()) return;
    this.read(true);
    if (performance.now() >= this.#nextCheckpoint) this.#checkpoint();
    const { rotateMs = VERIFY_MS } = this.options;
    this.#backlog.digest(Math.min(VERIFY_MS, rotateMs / 2));
  }

  /** Runs the checks of the module that are due. */
  check(): void {
    if (!this.alive()) return;
    for (const finding of this.watch.due()) this.report(finding);
  }

  /** Looks after a guest whose clock stands still; reads nothing. */
  stand(): void {
    for (const finding of this.watch.standing()) this.report(finding);
  }

  /** Verifies everything read so far, however long it takes. */
  verifyAll(): void {
    this.#backlog.digest();
  }

  /** Writes names of new addresses to the recording when they are due. */
  name(): void {
    this.#names.recordWhenDue(this.#files.recording, this.#kernel);
  }

  /**
   * Ends the trace: verifies everything that was read, logs the last entry of
   * each CPU, and writes the last names to the recording.
   *
   * @param whole whether the rings were read to their end after switching off
   * @throws {XftraceError} when the log or the recording cannot be written.
   */
  end(whole: boolean): Verification {
    const { klog, recording } = this.#files;
    this.#backlog.digest(LAST_VERIFY_MS);
    if (!this.#backlog.empty) {
      this.report({
        problem: "not verified",
        detail:
          "the guest claims to have overwritten so many entries that the rest could not be verified",
      });
    }
    klog.append(this.rings.rings.map((ring) => {
      const last = whole ? ring.end : ring.next - 1;
      this.#verifier.end(ring.area.cpu, last);
      return { type: KLOG.stop, cpu: ring.area.cpu, a: last, b: ring.lost };
    }));
    if (this.#resumed !== undefined) this.#noteRecorded();
    this.#names.record(recording, this.#kernel);
    this.#checkpoint();
    // Without an end record, the log shows that it is unknown what came after.
    if (whole) klog.append([{ type: KLOG.end }]);
    return this.#verifier.finish();
  }

  /**
   * Collects the addresses in entries that an earlier collector recorded, so
   * that they get names too.
   */
  #noteRecorded(): void {
    const { klog, recording } = this.#files;
    if (recording === undefined) return;
    const note: VisitEntry = (_cpu, _sequence, words, at) => {
      const kind = kindAt(words, at);
      if (kind === ENTRY_KIND.entry || kind === ENTRY_KIND.return) {
        this.#names.note(words, at);
      }
    };
    try {
      verifyRecording(recording.path, klog.path, note);
    } catch (error) {
      // Names are only for display, and the trace must be ended.
      if (!(error instanceof XftraceError)) throw error;
    }
  }

  /** Closes the log and the recording, and wipes the keys. */
  [Symbol.dispose](): void {
    this.#keys.wipe();
    this.#verifier.wipe();
    this.#resumed?.wipe();
    this.#files.recording?.[Symbol.dispose]();
    this.#files.klog[Symbol.dispose]();
  }
}

/**
 * The header of a new recording: the guest, and what must be known about its
 * kernel to judge the entries.
 */
function recordingHeader(
  target: string,
  page: ControlPage,
  seal: number,
  generation: number,
  klogPath: string,
): RecordingHeader {
  const { kernel } = page;
  const address = (name: string) => hex(kernel.symbols.tryAddress(name) ?? 0n);
  return {
    seal,
    nonce: nonceText(page.nonce),
    generation,
    klog: basename(klogPath),
    target,
    kernel: kernel.facts.release,
    arch: kernel.arch.name,
    kernelText: [address("_stext"), address("_etext")],
    dispatcher: dispatcherRanges(kernel).map(({ start, end }) => [
      hex(start),
      hex(end),
    ]),
  };
}
