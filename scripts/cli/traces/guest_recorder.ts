/**
 * Records a guest's trace in a file of its own, to be put on a time line with
 * others when all have ended.
 *
 * @module
 */
import {
  type Guest,
  type GuestEnd,
  HostWriteError,
  isBelievable,
  XftraceError,
} from "xftrace";
import {
  ClockMap,
  ClockWatch,
  Follower,
  listEvents,
  openInstance,
  pollGuest,
  type ReadableClock,
  SavedCmdlines,
  SpoolReader,
  SpoolWriter,
  type TraceLayout,
} from "xftrace/ftrace";
import {
  alignmentOf,
  guestTextOptions,
  HOST_CLOCK,
  spoolRuns,
  type TimedRuns,
  type TimedSource,
  traceFileFacts,
  type TraceMeta,
  traceMeta,
} from "xftrace/output";
import type { FollowOptions } from "./follow.ts";

/** Short, so that the guest's clock is known well. */
const POLL_MS = 10;
/** Time between updates of thread names and symbols, ms. */
const SLOW_MS = 500;

/** What a guest's part of a time line is. */
export interface Recorded extends Disposable {
  readonly timed: TimedSource;
  /** What has been passed on of it: less than came, if a disk was full. */
  kept(): {
    readonly events: number;
    readonly lost: number;
    readonly dropped: number;
  };
}

/** Follows one guest, and keeps what comes. */
export class GuestRecorder {
  readonly target: string;
  readonly #session: Guest["session"];
  readonly #clock: ReadableClock;
  readonly #path: string;
  readonly #layout: TraceLayout;
  readonly #meta: TraceMeta;
  readonly #described: Omit<TimedSource["source"], "kind" | "meta">;
  readonly #follower: Follower;
  readonly #watch: ClockWatch;
  readonly #writer: SpoolWriter;
  readonly #lost = new Map<number, number>();
  readonly #types = new Set<number>();
  /** How it ended, if it did before it was told to stop. */
  end: GuestEnd | undefined;
  /** Which file could not be written, so that nothing was kept from then on. */
  failed: string | undefined;

  /**
   * Begins to follow.
   *
   * @param path of the file to keep events in
   * @throws {XftraceError} when the target is a recording, or its buffers cannot
   * be read.
   */
  constructor(
    { session }: Pick<Guest, "session">,
    options: Pick<FollowOptions, "instance" | "fromBuffer">,
    clock: ReadableClock,
    path: string,
  ) {
    if (!session.memory.live) {
      throw new XftraceError(
        `${session.target} is a recording, which has no clock to compare with the host's; name running guests, and a trace of the host with --host`,
      );
    }
    this.#session = session;
    this.target = session.target;
    this.#clock = clock;
    this.#path = path;
    const { instance, events, layout } = openInstance(
      session,
      options.instance,
    );
    this.#layout = layout;
    let saved = SavedCmdlines.read(session.kernel);
    this.#meta = traceMeta(instance, events, layout, {
      part: instance.current(),
      comm: (pid) => saved.tryComm(pid),
    });
    this.#comms = () => saved = SavedCmdlines.read(session.kernel);
    // Read now: when the file is written, the guest may have ended.
    for (const { id, enabled, internal } of listEvents(instance, events)) {
      if (enabled || internal) this.#meta.format(id);
    }
    this.#described = {
      target: session.target,
      options: guestTextOptions(instance),
      file: traceFileFacts(instance, events),
    };
    this.#follower = new Follower(instance, layout, {
      fromBuffer: options.fromBuffer === true,
    });
    this.#watch = new ClockWatch(() => clock.now());
    this.#follower.watch(this.#watch);
    this.#writer = new SpoolWriter(
      path,
      {
        target: session.target,
        release: session.kernel.facts.release,
        epoch: String(this.#follower.epoch),
        pageSize: instance.buffer().pageSize,
        started: new Date().toISOString(),
      },
      layout,
      "choose another place with -o",
    );
    this.#follower.keep((...segment) => this.#writer.segment(...segment));
  }

  readonly #comms: () => SavedCmdlines;

  /**
   * Follows until told to stop, or until the guest ends, or its file cannot be
   * written: what was kept by then is whole.
   */
  async run(stopped: () => boolean): Promise<void> {
    try {
      await this.#follow(stopped);
      const { lost, dropped } = this.#follower.totals();
      this.#writer.poll(Infinity, lost, dropped);
      this.#writer[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof HostWriteError)) throw error;
      this.failed = error.message;
    }
  }

  async #follow(stopped: () => boolean): Promise<void> {
    const session = this.#session;
    const end = await pollGuest({
      alive: () => session.alive(),
      stopped,
      slowMs: SLOW_MS,
      slow: () => {
        if (session.kernel.origin?.life() === "still") return;
        session.kernel.live.refresh();
        for (const [pid, comm] of this.#comms().entries()) {
          this.#writer.comm(pid, comm);
        }
      },
      poll: () => {
        // If the guest is restarting, its memory may be overwritten already.
        if (session.kernel.origin?.life() !== "still") this.#poll();
        return POLL_MS;
      },
      // The guest was resetting or resizing a buffer: try again.
      failed: () => POLL_MS,
    });
    if (end === "guest gone") this.end = session.end() ?? "ended";
    if (isBelievable(session)) {
      try {
        this.#poll();
      } catch (error) {
        if (!(error instanceof XftraceError) || this.end === undefined) {
          throw error;
        }
        // It was in the middle of something when it ended.
      }
    }
  }

  #poll(): void {
    this.#follower.poll();
    if (!isBelievable(this.#session)) {
      this.#writer.discard();
      return;
    }
    for (const { cpu, lost } of this.#follower.accounts()) {
      const before = this.#lost.get(cpu) ?? 0;
      if (lost > before) this.#writer.lost(cpu, lost - before);
      this.#lost.set(cpu, lost);
    }
    this.#follower.drain(({ type }, row) => {
      if (this.#types.has(type[row])) return;
      this.#types.add(type[row]);
      this.#meta.format(type[row]);
    });
    const { lost, dropped } = this.#follower.totals();
    this.#writer.poll(this.#follower.complete, lost, dropped);
  }

  /** What was recorded, with times of the host's clock. */
  recorded(): Recorded {
    const { base } = this.#clock;
    const { epoch } = this.#follower;
    const bounds = this.#watch.bounds();
    const map = ClockMap.fit(bounds) ?? ClockMap.latest(bounds);
    const known = bounds.atLeast.length > 0 && bounds.atMost.length > 0;
    const spool = new SpoolReader(this.#path, this.#layout, base);
    // From ns since the host's base to those since the follower's epoch.
    const shift = Number(epoch - base);
    const aligned = map !== undefined && known
      ? alignmentOf(map, base)
      : { clock: HOST_CLOCK, errorNs: null, torn: [] };
    const meta: TraceMeta = {
      ...this.#meta,
      comm: (pid) => spool.comms.get(pid) ?? this.#meta.comm(pid),
    };
    let events = 0;
    const runs = spoolRuns(
      spool,
      map === undefined ? (ts) => ts : (ts) => map.at(ts - shift),
    );
    return {
      timed: {
        source: { ...this.#described, kind: "collected", meta, aligned },
        runs: counted(runs, (rows) => events += rows),
      },
      kept: () => ({ events, lost: spool.lost, dropped: spool.dropped }),
      [Symbol.dispose]: () => spool[Symbol.dispose](),
    };
  }
}

/** Passes runs on, and counts their rows. */
function* counted(runs: TimedRuns, add: (rows: number) => void): TimedRuns {
  for (;;) {
    const { done, value } = runs.next();
    if (done === true) return value;
    // What is taken of a run moves its first row.
    add(value.to - value.from);
    yield value;
  }
}
