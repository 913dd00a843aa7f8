/**
 * The collector of a sealed trace: from `xftrace on` to `xftrace off` it runs
 * the tracer, rotates the keys, and writes the recording and the key log.
 *
 * @module
 */
import {
  type GuestEnd,
  HostWriteError,
  type Session,
  XftraceError,
} from "xftrace";
import { resumeModule, startModule } from "xftrace/control";
import { pollGuest } from "xftrace/ftrace";
import type { SealedSummary, SealedTracer } from "xftrace/seal";
import type { CollectorStatus } from "./collector.ts";
import type {
  CollectorResult,
  SealedState,
  StateFolder,
  TraceState,
} from "./state.ts";

/** The longest time between polls, ms; rotating keys may take shorter ones. */
const POLL_MS = 20;
/** Time between checks whether the guest's process still runs, ms. */
const SLOW_MS = 500;

/** Follows one sealed trace until told to finish, or until the guest ends. */
export class SealedCollector {
  readonly #session: Session;
  readonly #folder: StateFolder;
  readonly #sealed: SealedState;
  readonly #say: (message: string) => void;
  #tracer: SealedTracer | undefined;
  #starting: string | undefined = "attaching";
  #stop = false;
  #gone = false;
  /** The end of the trace, once it has ended. */
  #result: CollectorResult | undefined;
  /** Size of the recording then. */
  #bytes = 0;

  constructor(
    session: Session,
    folder: StateFolder,
    state: TraceState & { readonly sealed: SealedState },
    say: (message: string) => void,
  ) {
    this.#session = session;
    this.#folder = folder;
    this.#sealed = state.sealed;
    this.#say = say;
  }

  /** How much it has read so far. */
  status(): CollectorStatus {
    const ended = this.#result;
    if (ended !== undefined) {
      const { events, lost, dropped, exact, failed } = ended;
      return {
        ...{ events, lost, dropped, exact, bytes: this.#bytes },
        ...(failed === undefined ? {} : { failed }),
      };
    }
    const sealed = this.#tracer?.status();
    const dropped = sealed?.dropped;
    return {
      events: sealed?.entries ?? 0,
      lost: sealed?.lost ?? 0,
      dropped: dropped === undefined
        ? 0
        : dropped.nmi + dropped.unkeyed + dropped.nested,
      bytes: sealed?.recordedBytes ?? 0,
      exact: true,
      ...(this.#starting === undefined ? {} : { starting: this.#starting }),
      ...(sealed === undefined ? {} : { sealed }),
    };
  }

  /** What was collected, once the trace has ended. */
  get result(): CollectorResult | undefined {
    return this.#result;
  }

  /** Ends {@linkcode run} before its next poll. */
  stop(): void {
    this.#stop = true;
  }

  /** Starts the trace, or takes it over from a collector that was killed. */
  async #begin(): Promise<SealedTracer> {
    const { resume, ...options } = this.#sealed;
    this.#tracer = resume
      ? resumeModule(this.#session, options)
      : await startModule(this.#session, {
        ...options,
        onProgress: ({ command, phase, said, elapsed }) => {
          this.#starting = `${command}: ${phase}, "${said}", ${
            (elapsed / 1000).toFixed(0)
          } s`;
        },
      });
    this.#starting = undefined;
    return this.#tracer;
  }

  /**
   * Traces until told to stop. If a file cannot be written, the module is
   * switched off, and nothing is traced from then on.
   *
   * @returns why it ended.
   * @throws {XftraceError} when the guest refuses; nothing is left changed.
   */
  async run(): Promise<"stopped" | GuestEnd> {
    const tracer = await this.#begin();
    let end: "stopped" | "guest gone";
    try {
      end = await this.#follow(tracer);
    } catch (error) {
      if (!(error instanceof HostWriteError)) throw error;
      this.#say(error.message);
      await this.#end(tracer, error.message, error.message);
      // `off`, or whoever asks for the status, is told.
      end = await pollGuest({
        alive: () => this.#session.alive(),
        stopped: () => this.#stop,
        slowMs: SLOW_MS,
        poll: () => POLL_MS,
      });
    }
    this.#gone = end === "guest gone";
    return end === "stopped" ? end : this.#session.end() ?? "ended";
  }

  #follow(tracer: SealedTracer): Promise<"stopped" | "guest gone"> {
    const { rotateMs } = this.#sealed;
    const everyMs = Math.max(1, Math.min(POLL_MS, rotateMs / 4));
    return pollGuest({
      alive: () => this.#session.alive(),
      stopped: () => this.#stop,
      slowMs: SLOW_MS,
      poll: () => {
        for (const { problem, detail } of tracer.poll().findings) {
          this.#say(`${problem}: ${detail}`);
        }
        return everyMs;
      },
      // The guest was changing what was read: try again.
      failed: ({ message }) => {
        this.#say(message);
        return everyMs;
      },
    });
  }

  /**
   * Ends the trace. `xftrace off` makes the text, out of the recording and
   * keys. It may be tried again after it has failed.
   *
   * @throws {HostWriteError} when the result cannot be written.
   */
  async finish(reason: string): Promise<CollectorResult> {
    const tracer = this.#tracer;
    if (tracer === undefined) throw new XftraceError("nothing was traced");
    const result = this.#result ?? await this.#end(tracer, reason);
    this.#folder.writeResult(result);
    return result;
  }

  /**
   * Ends the trace, once.
   *
   * @param failed the file that could not be written
   */
  async #end(
    tracer: SealedTracer,
    reason: string,
    failed?: string,
  ): Promise<CollectorResult> {
    const before = tracer.status();
    this.#bytes = before?.recordedBytes ?? 0;
    try {
      const summary = await tracer.stop({ guestGone: this.#gone });
      this.#result = sealedResult(reason, summary);
    } catch (error) {
      if (before === undefined || !(error instanceof XftraceError)) throw error;
      // The module is off; what the files hold until then is kept.
      this.#say(error.message);
      failed ??= error.message;
      this.#result = { ...sealedResult(reason, before), exact: false };
    }
    if (failed !== undefined) this.#result = { ...this.#result, failed };
    return this.#result;
  }
}

/**
 * The collector's result for a sealed trace that has ended.
 *
 * @param reason why it ended
 */
export function sealedResult(
  reason: string,
  { entries, lost, dropped, keySwitches, findings }: Omit<
    SealedSummary,
    "verification"
  >,
): CollectorResult {
  return {
    reason,
    events: entries,
    kept: entries,
    lines: 0,
    lost,
    dropped: dropped.nmi + dropped.unkeyed + dropped.nested,
    truncated: false,
    exact: true,
    resets: 0,
    sealed: { keySwitches, dropped, findings: [...findings] },
  };
}
