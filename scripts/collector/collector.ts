/**
 * The collector: follows a guest's trace from `xftrace on` to `xftrace off` and
 * keeps all of it in a file, before the guest's buffers overwrite it.
 *
 * @module
 */
import {
  type GuestEnd,
  HostWriteError,
  isBelievable,
  MemoryError,
  type Session,
} from "xftrace";
import {
  Follower,
  listEvents,
  pollGuest,
  SavedCmdlines,
  SpoolReader,
  SpoolWriter,
  TraceArray,
  TraceEvents,
  type TraceLayout,
  traceLayout,
} from "xftrace/ftrace";
import {
  guestTextOptions,
  type TraceMeta,
  traceMeta,
  type TraceTextOptions,
  writeTraceGraph,
} from "xftrace/output";
import type { SealedStatus } from "xftrace/seal";
import { FileSink } from "./file_sink.ts";
import type { CollectorResult, StateFolder, TraceState } from "./state.ts";

/** Time between polls while events come, and while none do, ms. */
const BUSY_MS = 20;
const IDLE_MS = 100;
/** Time between updates of thread names and symbols, ms. */
const SLOW_MS = 500;
/** The most polls at the end until the counts equal the guest's own. */
const LAST_POLLS = 50;

/** What a running collector reports. */
export interface CollectorStatus {
  /** Events read so far. */
  readonly events: number;
  /** Events that the guest wrote and that could not be read. */
  readonly lost: number;
  /** Events the guest itself could not write. */
  readonly dropped: number;
  /** Bytes that are kept on disk. */
  readonly bytes: number;
  /** Whether the counts equalled the guest's own at the last poll. */
  readonly exact: boolean;
  /** What it is doing before it begins to trace; absent afterwards. */
  readonly starting?: string;
  /**
   * Why it collects nothing any more: which file of the host could not be
   * written.
   */
  readonly failed?: string;
  /** Of a sealed trace. */
  readonly sealed?: SealedStatus;
}

/** Follows one guest until told to finish, or until the guest ends. */
export class Collector {
  readonly #session: Session;
  readonly #folder: StateFolder;
  readonly #state: TraceState;
  readonly #say: (message: string) => void;
  readonly #instance: TraceArray;
  readonly #layout: TraceLayout;
  readonly #follower: Follower;
  readonly #writer: SpoolWriter;
  readonly #meta: TraceMeta;
  readonly #options: TraceTextOptions;
  readonly #types = new Set<number>();
  readonly #lost = new Map<number, number>();
  /** The counts of the last poll that is used. */
  #totals: ReturnType<Follower["totals"]>;
  #stop = false;
  #drained = false;
  #failed: string | undefined;
  #result: CollectorResult | undefined;

  /**
   * Begins to follow.
   *
   * @throws {XftraceError} when the guest's buffers cannot be read or the
   * spool cannot be written.
   */
  constructor(
    session: Session,
    folder: StateFolder,
    state: TraceState,
    say: (message: string) => void,
  ) {
    this.#session = session;
    this.#folder = folder;
    this.#state = state;
    this.#say = say;
    const { kernel } = session;
    this.#instance = TraceArray.named(kernel, state.instance);
    this.#layout = traceLayout(kernel.types);
    const events = new TraceEvents(kernel);
    // Read now: when the text is written, the guest may have ended.
    this.#meta = traceMeta(this.#instance, events, this.#layout, {
      part: this.#instance.current(),
    });
    for (
      const { id, enabled, internal } of listEvents(this.#instance, events)
    ) {
      if (enabled || internal) this.#meta.format(id);
    }
    this.#options = guestTextOptions(this.#instance);
    this.#follower = new Follower(this.#instance, this.#layout);
    this.#writer = new SpoolWriter(folder.spool, {
      target: state.target,
      release: kernel.facts.release,
      ...(kernel.facts.buildId === undefined
        ? {}
        : { buildId: kernel.facts.buildId }),
      epoch: String(this.#follower.epoch),
      pageSize: this.#instance.buffer().pageSize,
      started: state.started,
    }, this.#layout);
    this.#follower.keep((...segment) => this.#writer.segment(...segment));
    this.#totals = this.#follower.totals();
  }

  /** How much it has read so far. */
  status(): CollectorStatus {
    const { decoded, lost, dropped, exact } = this.#totals;
    return {
      events: decoded,
      lost,
      dropped,
      exact,
      bytes: this.#writer.size,
      ...(this.#failed === undefined ? {} : { failed: this.#failed }),
    };
  }

  /** Whether it can still collect; after a file could not be written, not. */
  #collecting<T>(collect: () => T): T | undefined {
    if (this.#failed !== undefined) return undefined;
    try {
      return collect();
    } catch (error) {
      if (!(error instanceof HostWriteError)) throw error;
      // What is in the file is kept; `off` writes it.
      this.#failed = error.message;
      this.#say(error.message);
      return undefined;
    }
  }

  /** What was collected, once its text has been written. */
  get result(): CollectorResult | undefined {
    return this.#result;
  }

  /** Ends {@linkcode run} before its next poll. */
  stop(): void {
    this.#stop = true;
  }

  /**
   * Polls until told to stop.
   *
   * @returns why it ended.
   */
  async run(): Promise<"stopped" | GuestEnd> {
    const end = await pollGuest({
      alive: () => this.#session.alive(),
      stopped: () => this.#stop,
      slowMs: SLOW_MS,
      slow: () => {
        if (!this.#drained && this.#runs) this.#collecting(() => this.#slow());
      },
      // If the guest is restarting, its memory may be overwritten already.
      poll: () => {
        if (!this.#runs) return BUSY_MS;
        const count = this.#drained
          ? 0
          : this.#collecting(() => this.#poll()) ?? 0;
        return count > 0 ? BUSY_MS : IDLE_MS;
      },
      // The guest was resetting or resizing a buffer: try again.
      failed: () => IDLE_MS,
    });
    return end === "stopped" ? end : this.#session.end() ?? "ended";
  }

  /** Whether the guest's kernel is known to run; see `Life`. */
  get #runs(): boolean {
    return this.#session.kernel.origin?.life() !== "still";
  }

  /** Polls once, and keeps what came. Returns the number of events. */
  #poll(): number {
    const count = this.#follower.poll();
    if (!isBelievable(this.#session)) {
      this.#writer.discard();
      return 0;
    }
    for (const { cpu, lost } of this.#follower.accounts()) {
      const before = this.#lost.get(cpu) ?? 0;
      if (lost > before) this.#writer.lost(cpu, lost - before);
      this.#lost.set(cpu, lost);
    }
    const { lost, dropped } = this.#totals = this.#follower.totals();
    this.#follower.drain((columns, row) => {
      const type = columns.type[row];
      if (this.#types.has(type)) return;
      this.#types.add(type);
      this.#meta.format(type);
    });
    this.#writer.poll(this.#follower.complete, lost, dropped);
    return count;
  }

  /** Updates what need not be read in every poll: symbols and thread names. */
  #slow(): void {
    const { kernel } = this.#session;
    try {
      kernel.live.refresh();
      for (const [pid, comm] of SavedCmdlines.read(kernel).entries()) {
        this.#writer.comm(pid, comm);
      }
    } catch (error) {
      // The guest was changing it: the next update reads it again.
      if (!(error instanceof MemoryError)) throw error;
    }
    this.#writer.flush();
  }

  /**
   * Reads what is left in the guest. What it records afterwards does not belong
   * to this trace.
   */
  drain(): void {
    if (this.#drained) return;
    this.#collecting(() => {
      if (isBelievable(this.#session)) {
        for (let i = 0; i < LAST_POLLS; i++) {
          this.#poll();
          if (this.#follower.totals().exact && i > 0) break;
        }
        if (this.#session.alive()) this.#slow();
      }
      const { lost, dropped } = this.#totals;
      this.#writer.poll(Infinity, lost, dropped);
      this.#writer[Symbol.dispose]();
    });
    this.#drained = true;
  }

  /**
   * Reads what is left, and writes the text and the result. It may be tried
   * again after it has failed.
   *
   * @param reason why the trace ends, for the result
   * @param output path of the text
   * @throws {HostWriteError} when the text or the result cannot be written.
   */
  finish(
    reason: string,
    output: string,
    options: Partial<TraceTextOptions["graph"]> = {},
  ): CollectorResult {
    this.drain();
    const { resets, blindResets } = this.#totals;
    // What a guest wrote last before it was restarted is not known.
    const exact = this.#totals.exact && isBelievable(this.#session);
    using spool = new SpoolReader(this.#folder.spool, this.#layout);
    using file = new FileSink(output);
    const text = {
      ...this.#options,
      graph: { ...this.#options.graph, ...options },
    };
    const summary = writeTraceGraph(
      spool,
      { meta: this.#meta, options: text, target: this.#state.target },
      this.#state.roots,
      (chunk) => file.write(chunk),
    );
    file.commit();
    const failed = this.#failed;
    this.#result = {
      reason,
      output,
      ...summary,
      exact: exact && failed === undefined,
      resets,
      blindResets,
      ...(failed === undefined ? {} : { failed }),
    };
    this.#folder.writeResult(this.#result);
    return this.#result;
  }
}
