/**
 * The collector of a sealed trace: from `xftrace on` to `xftrace off` it runs
 * the tracer, rotates the keys, and writes the recording and the key log.
 *
 * @module
 */
import { type GuestEnd, type Session, XftraceError } from "xftrace";
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
   * Traces until told to stop.
   *
   * @returns why it ended.
   * @throws {XftraceError} when the guest refuses; nothing is left changed.
   */
  async run(): Promise<"stopped" | GuestEnd> {
    const tracer = await this.#begin();
    const { rotateMs } = this.#sealed;
    const everyMs = Math.max(1, Math.min(POLL_MS, rotateMs / 4));
    const end = await pollGuest({
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
    this.#gone = end === "guest gone";
    return end === "stopped" ? end : this.#session.end() ?? "ended";
  }

  /**
   * Ends the trace. `xftrace off` makes the text, out of the recording and
   * keys.
   */
  async finish(reason: string): Promise<CollectorResult> {
    const tracer = this.#tracer;
    if (tracer === undefined) throw new XftraceError("nothing was traced");
    const summary = await tracer.stop({ guestGone: this.#gone });
    const result = sealedResult(reason, summary);
    this.#folder.writeResult(result);
    return result;
  }
}

/**
 * The collector's result for a sealed trace that has ended.
 *
 * @param reason why it ended
 */
export function sealedResult(
  reason: string,
  { entries, lost, dropped, keySwitches, findings }: SealedSummary,
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
