/**
 * One sealed trace while it runs: the keys it is sealed with, the rings it is
 * read from, the log and the recording it is kept in. It begins with emptied
 * rings, or goes on where a collector has ended.
 *
 * @module
 */
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
import { KLOG, Klog, type KlogRecord } from "../keys/klog.ts";
import type { CommandProgress } from "../page/mailbox.ts";
import type { PresenceFinding } from "../page/presence.ts";
import { Backlog } from "../recording/backlog.ts";
import {
  type RecordingHeader,
  RecordingWriter,
} from "../recording/recording.ts";
import {
  SealVerifier,
  type Verification,
  type VisitEntry,
} from "../recording/verifier.ts";
import {
  nonceText,
  recordsOfTrace,
  verifyRecording,
} from "../recording/verify_recording.ts";
import { RingFollower } from "./ring_follower.ts";
import { dispatcherRanges, type SealedConfig } from "./trace_config.ts";
import { TraceNames } from "./trace_names.ts";
import { Watch, type WatchedModule } from "./watch.ts";

/** Milliseconds of a poll that go to verifying what was read. */
const VERIFY_MS = 20;

/** How to trace. */
export interface SealedOptions extends SealedConfig {
  /** Milliseconds between two keys; default 100. */
  readonly rotateMs?: number;
  /** The key log, made when it is not there. */
  readonly klogPath: string;
  /** The recording, written over; without it entries are not kept. */
  readonly recordingPath?: string;
  /**
   * Is given each verified entry, a CPU's in their order, opened: use it at
   * once, its memory is reused.
   */
  readonly onEntry?: VisitEntry;
  /** Milliseconds between two heartbeats; default 500. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two checks of the module's code; default 5000. */
  readonly checkMs?: number;
  /** Called while a command takes its time. */
  readonly onProgress?: (progress: CommandProgress) => void;
}

/** Where a trace is kept. */
interface TraceFiles {
  readonly klog: Klog;
  /** `undefined`: entries are not kept. */
  readonly recording: RecordingWriter | undefined;
}

/** A trace that runs. */
export class RunningTrace implements Disposable {
  readonly options: SealedOptions;
  /** Checks of the module; it has its own time. */
  readonly watch: Watch;
  readonly rings: RingFollower;
  /** A collector had begun to stop this trace when it ended. */
  readonly closing: boolean;
  readonly #kernel: Kernel;
  readonly #module: WatchedModule;
  readonly #files: TraceFiles;
  readonly #keys: KeyController;
  readonly #verifier: SealVerifier;
  readonly #backlog: Backlog;
  readonly #names = new TraceNames();
  /** Records of a trace that was taken over. */
  readonly #resumed: readonly KlogRecord[] | undefined;
  readonly #seen = new Set<string>();
  readonly #findings: PresenceFinding[] = [];
  #nextRotation: number;

  private constructor(
    module: WatchedModule,
    options: SealedOptions,
    files: TraceFiles,
    seal: number,
    resumed?: readonly KlogRecord[],
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
    });
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
    const last = resumed?.findLast(({ type }) => type === KLOG.command);
    this.closing = last?.b === COMMAND.unregister;
  }

  /**
   * Begins a trace in a module whose rings have been emptied: its mark in the
   * key log, its recording, its first keys. The key log stays the caller's
   * when it fails.
   *
   * @throws {XftraceError} when log or recording cannot be written.
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
    klog.append([{ type: KLOG.start, a, b: seal, key: page.nonce }]);
    const header = recordingHeader(target, page, seal, a, klogPath);
    const recording = recordingPath === undefined
      ? undefined
      : RecordingWriter.create(recordingPath, header);
    try {
      const files = { klog, recording };
      const trace = new RunningTrace(module, options, files, seal);
      trace.#keys.rotate();
      return trace;
    } catch (error) {
      recording?.[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Goes on with a trace whose collector has ended without stopping it, out of
   * its key log and its recording.
   *
   * @throws {XftraceError} when log and recording are not those of what the
   * guest's module does now.
   */
  static resume(module: WatchedModule, options: SealedOptions): RunningTrace {
    const { page } = module;
    const { recordingPath, klogPath } = options;
    if (recordingPath === undefined) {
      throw new XftraceError(
        "a trace that was not recorded cannot be taken over; start a new one",
      );
    }
    const klog = new Klog(klogPath);
    let recording: RecordingWriter | undefined;
    try {
      const { writer, reading } = RecordingWriter.resume(recordingPath);
      recording = writer;
      const { header, blocks } = reading;
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
      const files = { klog, recording };
      const trace = new RunningTrace(
        module,
        options,
        files,
        header.seal,
        records,
      );
      trace.#keys.resume(records);
      // What the recording has counts as read; its seals were seen to then.
      trace.rings.skip(blocks, (cpu, next) => trace.#verifier.skip(cpu, next));
      return trace;
    } catch (error) {
      recording?.[Symbol.dispose]();
      klog[Symbol.dispose]();
      throw error;
    }
  }

  /** Commands that the collector before gave in this trace. */
  get givenBefore(): readonly (readonly [number: number, command: number])[] {
    return (this.#resumed ?? []).filter(({ type }) => type === KLOG.command)
      .map(({ a, b }) => [a, b] as const);
  }

  /** Keys that the guest's CPUs took. */
  get keySwitches(): number {
    return this.#keys.switches;
  }

  /** Entries that were read and are still to be verified. */
  get unverified(): number {
    return this.#backlog.waiting;
  }

  /** Bytes of the recording. */
  get recordedBytes(): number {
    return this.#files.recording?.size ?? 0;
  }

  /** What was found wrong so far, each thing once. */
  get findings(): readonly PresenceFinding[] {
    return this.#findings;
  }

  /** Notes what is wrong with the module; what was noted before is not. */
  report(finding: PresenceFinding): void {
    const key = `${finding.problem} ${finding.detail}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#findings.push(finding);
    // Whoever verifies the recording has to know of it.
    this.#files.recording?.finding(finding);
  }

  /** The key log. */
  get klog(): Klog {
    return this.#files.klog;
  }

  /** Looks at a verified entry: its addresses, or who sent the command. */
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
   * Reads the rings, and looks which keys were taken.
   *
   * @param rotate whether keys are to be changed when it is time
   * @throws {MemoryError} when the guest's memory is gone.
   */
  read(rotate: boolean): void {
    this.rings.read(() => this.#tendKeys(rotate));
  }

  /** Looks which keys were taken, and sends the next ones when it is time. */
  #tendKeys(rotate: boolean): void {
    for (const finding of this.#keys.watch()) this.report(finding);
    const now = performance.now();
    if (!rotate || now < this.#nextRotation) return;
    this.#nextRotation = now + (this.options.rotateMs ?? 100);
    this.#keys.rotate();
  }

  /** Whether the module is there; it is reported when not. */
  alive(): boolean {
    if (this.#module.page.alive) return true;
    this.report({
      problem: "module gone",
      detail:
        "the module was unloaded, or the guest restarted: what it had not handed out is lost",
    });
    return false;
  }

  /** Reads, rotates keys, and verifies as long as keys can wait for it. */
  step(): void {
    if (!this.alive()) return;
    this.read(true);
    const { rotateMs = VERIFY_MS } = this.options;
    this.#backlog.digest(Math.min(VERIFY_MS, rotateMs / 2));
  }

  /** Carries out the checks of the module whose time has come. */
  check(): void {
    if (!this.alive()) return;
    for (const finding of this.watch.due()) this.report(finding);
  }

  /** Verifies all that was read, however long it takes. */
  verifyAll(): void {
    this.#backlog.digest();
  }

  /** Names new addresses in the recording when it is time. */
  name(): void {
    this.#names.recordWhenDue(this.#files.recording, this.#kernel);
  }

  /**
   * Ends it: all that was read is verified, the key log is told where each
   * CPU's entries end, the recording gets the last names.
   *
   * @param whole whether the rings were read to their end after switching off
   * @throws {XftraceError} when log or recording cannot be written.
   */
  end(whole: boolean): Verification {
    const { klog, recording } = this.#files;
    this.verifyAll();
    klog.append(this.rings.rings.map((ring) => {
      const last = whole ? ring.end : ring.next - 1;
      this.#verifier.end(ring.area.cpu, last);
      return { type: KLOG.stop, cpu: ring.area.cpu, a: last, b: ring.lost };
    }));
    // Without an end the log says that nobody knows what came after.
    if (whole) klog.append([{ type: KLOG.end }]);
    if (this.#resumed !== undefined) this.#noteRecorded();
    this.#names.record(recording, this.#kernel);
    return this.#verifier.finish();
  }

  /**
   * Notes the addresses of all verified entries that an earlier collector has
   * recorded, so that they get their names as those do that were read here.
   */
  #noteRecorded(): void {
    const { klog, recording } = this.#files;
    if (recording === undefined) return;
    verifyRecording(recording.path, klog.path, (_cpu, _sequence, words, at) => {
      const kind = kindAt(words, at);
      if (kind === ENTRY_KIND.entry || kind === ENTRY_KIND.return) {
        this.#names.note(words, at);
      }
    });
  }

  /** Closes log and recording. */
  [Symbol.dispose](): void {
    this.#files.recording?.[Symbol.dispose]();
    this.#files.klog[Symbol.dispose]();
  }
}

/**
 * The head of a recording that begins now: whose it is, and what of the
 * kernel one has to know to judge its entries.
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
    klog: klogPath,
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
