/**
 * Follows a guest's trace and shows sums of it again and again.
 *
 * @module
 */
import {
  END_TEXT,
  type Guest,
  GuestGoneError,
  isBelievable,
  type Session,
  XftraceError,
} from "xftrace";
import {
  Follower,
  openInstance,
  pollGuest,
  SavedCmdlines,
} from "xftrace/ftrace";
import {
  guestTextOptions,
  LiveTrace,
  TopSums,
  traceFileFacts,
  traceMeta,
} from "xftrace/output";
import { CollectorState } from "../top/collector_state.ts";
import type { TopFacts } from "../top/head.ts";
import type { Shown } from "../top/view.ts";

const POLL_MS = 50;
/** How often to read thread names and symbols again, ms. */
const SLOW_MS = 500;

/** What to follow, and how often to show it. */
export interface TopOptions {
  readonly instance?: string;
  /** Start with what the buffers hold already. */
  readonly fromBuffer?: boolean;
  /** Seconds after which to stop. */
  readonly for?: number;
  /** Intervals after which to stop. */
  readonly count?: number;
  /** Seconds of an interval. */
  readonly interval: number;
}

/** Sums of a guest's trace, as it goes on. */
export class LiveTop {
  readonly #session: Session;
  readonly #options: TopOptions;
  readonly #state: CollectorState;
  readonly #inNs: boolean;
  #saved: SavedCmdlines;
  readonly #follower: Follower;
  readonly #open: ReturnType<typeof openInstance>;
  #sums: TopSums;
  #live: LiveTrace;
  #start = performance.now();
  #tick = this.#start;
  #intervals = 0;
  #before = 0;
  #rate = 0;
  /** What was lost and dropped before the counts were set back. */
  #base = { lost: 0, dropped: 0 };

  /**
   * Begins to follow.
   *
   * @throws {XftraceError} when the target is a recording, or its buffers cannot
   * be read.
   */
  constructor({ session }: Pick<Guest, "session">, options: TopOptions) {
    if (!session.memory.live) {
      throw new XftraceError(
        `${session.target} is a recording: nothing happens in it any more; \`xftrace report --html\` and \`xftrace sql\` show what it holds`,
      );
    }
    this.#session = session;
    this.#options = options;
    this.#state = new CollectorState(session);
    this.#open = openInstance(session, options.instance);
    const { instance, layout } = this.#open;
    this.#saved = SavedCmdlines.read(session.kernel);
    this.#inNs = this.#meta().clockInNs;
    this.#follower = new Follower(instance, layout, {
      fromBuffer: options.fromBuffer === true,
    });
    this.#sums = new TopSums();
    this.#live = this.#begin();
  }

  #meta() {
    const { instance, events, layout } = this.#open;
    return traceMeta(instance, events, layout, {
      part: instance.current(),
      comm: (pid) => this.#saved.tryComm(pid),
    });
  }

  #begin(): LiveTrace {
    const { instance, events } = this.#open;
    return new LiveTrace(this.#follower, {
      meta: this.#meta(),
      options: guestTextOptions(instance),
      target: this.#session.target,
      file: traceFileFacts(instance, events),
    }, this.#sums);
  }

  /** Begins to count anew. */
  zero(): void {
    const { lost, dropped } = this.#follower.totals();
    this.#base = { lost, dropped };
    this.#sums = new TopSums();
    this.#live = this.#begin();
    this.#start = this.#tick = performance.now();
    this.#before = this.#rate = 0;
  }

  /** What there is to show. */
  shown(): Shown {
    const { instance } = this.#open;
    const { lost, dropped } = this.#follower.totals();
    const { seal } = this.#state;
    const still = this.#still;
    const facts: TopFacts = {
      target: this.#session.target,
      tracer: instance.tracer,
      recording: instance.recording,
      seconds: (performance.now() - this.#start) / 1000,
      rate: this.#rate,
      lost: lost - this.#base.lost,
      dropped: dropped - this.#base.dropped,
      inNs: this.#inNs,
      ...(seal === undefined ? {} : { seal }),
      ...(still
        ? { still: "the guest stands still, and so does what is shown" }
        : {}),
    };
    return { facts, snapshot: this.#sums.snapshot() };
  }

  /** If the guest is restarting, its memory may be overwritten already. */
  get #still(): boolean {
    return this.#session.kernel.origin?.life() === "still";
  }

  /**
   * Follows until told to stop.
   *
   * @param show called after each interval
   * @throws {GuestGoneError} when the guest ended meanwhile.
   */
  async run(stopped: () => boolean, show: () => void): Promise<void> {
    const session = this.#session;
    const until = this.#options.for === undefined
      ? Infinity
      : performance.now() + this.#options.for * 1000;
    const most = this.#options.count ?? Infinity;
    const everyMs = this.#options.interval * 1000;
    this.#state.refresh();
    const end = await pollGuest({
      alive: () => session.alive(),
      stopped: () =>
        stopped() || this.#intervals >= most || performance.now() >= until,
      slowMs: SLOW_MS,
      slow: () => {
        this.#state.refresh();
        if (this.#still) return;
        this.#saved = SavedCmdlines.read(session.kernel);
        session.kernel.live.refresh();
        this.#live.refresh();
      },
      poll: () => {
        if (!this.#still) {
          this.#follower.poll();
          this.#live.drain();
        }
        const now = performance.now();
        if (now - this.#tick >= everyMs) {
          this.#endInterval(now);
          show();
        }
        return Math.min(POLL_MS, everyMs);
      },
    });
    if (isBelievable(session)) this.#live.drain(true);
    if (end !== "guest gone") return;
    throw new GuestGoneError(
      `${session.target} ${
        END_TEXT[session.end() ?? "ended"]
      }; what was counted until then is above`,
    );
  }

  #endInterval(now: number): void {
    const ms = now - this.#tick;
    this.#sums.tick(ms);
    const { count } = this.#sums;
    this.#rate = 1000 * (count - this.#before) / ms;
    this.#before = count;
    this.#tick = now;
    this.#intervals++;
  }
}
