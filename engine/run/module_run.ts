/**
 * Reads the rings of the guest's module for the streams that it records.
 *
 * @module
 */
import type { ModuleSettings } from "../control/plan.ts";
import { startModule } from "../control/module_commands.ts";
import type { Session } from "../session.ts";
import { CPU } from "../seal/page/abi.ts";
import type { SealedTracer } from "../seal/tracer/sealed_tracer.ts";
import type { SealedConfig } from "../seal/tracer/trace_config.ts";
import { noCounts, type VerdictCounts } from "../seal/recording/verdicts.ts";
import type { Frame } from "../passes/fields/frame.ts";
import { ModuleEntries, type ThreadNamed } from "../passes/module_entries.ts";

/** After this many polls with unverified entries left, verifying catches up. */
const MOST_BEHIND = 20;

/**
 * How long a command may take before its progress is reported, in milliseconds.
 */
const PATIENCE_MS = 1000;

/** The result of the module's part of a run. */
export interface SealedOutcome {
  /** Positions of the rings, counted by verdict. */
  readonly counts: VerdictCounts;
  /**
   * Entries that the guest did not write because they occurred in an NMI,
   * without a key, or nested.
   */
  readonly dropped: number;
  /** Problems with the module, one sentence each. */
  readonly findings: readonly string[];
}

/** Records by means of the guest's module. */
export class ModuleRun {
  readonly #session: Session;
  readonly #config: SealedConfig;
  readonly #rotateMs: number;
  readonly #entries: ModuleEntries;
  readonly #onProgress: ((doing: string) => void) | undefined;
  #tracer: SealedTracer | undefined;
  #folder: string | undefined;
  #behind = 0;
  /** The number of verified entries read so far. */
  read = 0;

  /**
   * @param take processes a batch of rows, each CPU's rows in their order
   * @param named is called with the names of threads
   * @param onProgress is called with what the module is doing while it takes
   * long
   */
  constructor(
    session: Session,
    { config, rotateMs }: ModuleSettings,
    take: (frame: Frame) => void,
    named: ThreadNamed,
    onProgress?: (doing: string) => void,
  ) {
    this.#onProgress = onProgress;
    this.#session = session;
    this.#config = config;
    this.#rotateMs = rotateMs;
    this.#entries = new ModuleEntries(session.kernel, take, named);
  }

  /**
   * Configures the module for the run, and switches it on.
   *
   * @throws {XftraceError} when the guest refuses, or the module is gone.
   */
  async start(): Promise<void> {
    // The keys are kept only for the duration of the run, since nobody verifies
    // it later.
    this.#folder = Deno.makeTempDirSync({ prefix: "xftrace-keys-" });
    try {
      this.#tracer = await startModule(this.#session, {
        ...this.#config,
        rotateMs: this.#rotateMs,
        klogPath: `${this.#folder}/run.klog`,
        onProgress: ({ said, elapsed }) => {
          if (elapsed > PATIENCE_MS) this.#onProgress?.(said);
        },
        onEntry: (cpu, _sequence, words, at) => {
          this.read++;
          this.#entries.add(cpu, words, at);
        },
      });
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  /** Reads new entries and passes on those that are complete. */
  poll(): void {
    const tracer = this.#tracer;
    if (tracer === undefined) return;
    const { page } = tracer;
    // If no CPU is writing an entry, whatever is written from now on is later
    // than everything read so far.
    const still = tracer.unverified === 0 &&
      page.cpus.every((area) => page.cpuNumber(area, CPU.busy) === 0);
    const { newest } = this.#entries;
    tracer.poll();
    if (tracer.unverified > 0 && ++this.#behind > MOST_BEHIND) {
      tracer.verifyRead();
    }
    if (tracer.unverified > 0) return;
    this.#behind = 0;
    this.#entries.refresh();
    if (still) this.#entries.flush(newest);
  }

  /** Switches the module off and passes on the remaining entries. */
  async stop(): Promise<SealedOutcome> {
    const tracer = this.#tracer;
    if (tracer === undefined) {
      return { counts: noCounts(), dropped: 0, findings: [] };
    }
    this.#tracer = undefined;
    try {
      const { verification, dropped, findings } = await tracer.stop();
      this.#entries.flush(Infinity);
      return {
        counts: verification.total,
        dropped: dropped.nmi + dropped.unkeyed + dropped.nested,
        findings: findings.map(({ problem, detail }) =>
          `${problem}: ${detail}`
        ),
      };
    } finally {
      this.#remove();
    }
  }

  /** Releases a guest that is gone, and passes on what was read from it. */
  abandon(): SealedOutcome | undefined {
    const tracer = this.#tracer;
    if (tracer === undefined) return undefined;
    this.#tracer = undefined;
    tracer.verifyRead();
    tracer.detach();
    this.#entries.flush(Infinity);
    this.#remove();
    return {
      counts: { ...noCounts(), verified: this.read },
      dropped: 0,
      findings: [],
    };
  }

  #remove(): void {
    if (this.#folder === undefined) return;
    Deno.removeSync(this.#folder, { recursive: true });
    this.#folder = undefined;
  }
}
