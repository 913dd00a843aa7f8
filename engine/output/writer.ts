/**
 * What a format of traces is: a writer that is told of a trace once, then
 * takes its events in time order, as rows of columns, with the losses where
 * they happened.
 *
 * @module
 */
import type { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { TraceMeta } from "./text/environment.ts";
import type { EntryCounts } from "./text/header.ts";
import type { TraceTextOptions } from "./text/options.ts";

/** Takes what is written, piece by piece: text, or bytes as they are. */
export type OutputSink = (chunk: string | Uint8Array<ArrayBuffer>) => void;

/** One guest's trace: what there is to say of it besides its events. */
export interface TraceSource {
  /**
   * Where its events come from: what the buffers held at one moment, all that
   * was collected over a while, or what happens now.
   */
  readonly kind: "buffers" | "collected" | "live";
  /** The guest as the user names it: `qemu:web1`. */
  readonly target?: string;
  /** Its kernel, CPUs, clock, names and event formats. */
  readonly meta: TraceMeta;
  /** Its trace options, as far as they change what its trace file shows. */
  readonly options: TraceTextOptions;
  /** Of buffers: how many entries they hold, and how many were written. */
  readonly counts?: EntryCounts;
  /** Of buffers: entries overwritten, of all CPUs. */
  readonly overruns?: number;
  /**
   * Of buffers: CPUs that had entries older than `time_start`, which were
   * passed over.
   */
  readonly skippedCpus?: ReadonlySet<number>;
}

/** Events that are missing. */
export interface Loss {
  readonly source: TraceSource;
  /** CPU that lost them. */
  readonly cpu: number;
  /** How many; -1 when that is not known. */
  readonly count: number;
  /** Time of the CPU's next event after them, ns of the trace clock. */
  readonly before: bigint;
}

/** What a trace came to. */
export interface TraceTotals {
  /** Events that were handed to the writer. */
  readonly events: number;
  /** Events the guest wrote that could not be read. */
  readonly lost: number;
  /** Events the guest overwrote, or could not write. */
  readonly dropped: number;
}

/**
 * Some of a source's events: rows of one CPU that follow each other, later
 * than all that was handed over before. One object is used again for each
 * run, and rows and payloads are gone when the writer returns.
 */
export class EventRun {
  /** The guest that they are of. */
  source: TraceSource;
  /** The rows. */
  columns: EventColumns;
  /** Where the rows' payloads lie. */
  arena: PageArena;
  /** The first row. */
  from = 0;
  /** One past the last row. */
  to = 0;
  /**
   * The CPU's next event, a row of the same columns that is still to come in
   * a later run; -1 when there is none, or it is not known yet.
   */
  next = -1;
  /**
   * Time of the source's next event on any CPU, in ns since the columns'
   * epoch; NaN when there is none, or it is not known yet.
   */
  nextTs = NaN;
  /** Whether {@linkcode takeNext} was called. */
  tookNext = false;

  constructor(source: TraceSource, columns: EventColumns, arena: PageArena) {
    this.source = source;
    this.columns = columns;
    this.arena = arena;
  }

  /**
   * Takes the CPU's next event out of its turn: it will not come again. The
   * kernel's own text does so with the return of a call that called nothing.
   */
  takeNext(): void {
    this.tookNext = true;
  }
}

/** Writes traces in one format. */
export interface TraceWriter {
  /**
   * Begins.
   *
   * @param sources the guests whose events will come, on one time line
   * @throws {XftraceError} when the format cannot show them.
   */
  begin(sources: readonly [TraceSource, ...TraceSource[]]): void;
  /** Takes events; they are no earlier than those before. */
  events(run: EventRun): void;
  /** Events are missing here. */
  lost(loss: Loss): void;
  /** Threads' names may have changed: those kept are asked for again. */
  refresh?(): void;
  /** Hands on what has been gathered: somebody is watching. */
  flush?(): void;
  /** Ends: nothing comes after this. */
  end(totals: TraceTotals): void;
}

/** A format: one file in formats/, listed in formats.ts. */
export interface TraceFormat {
  /** As `--format` takes it. */
  readonly name: string;
  /** What it is, in a few words, for lists of formats. */
  readonly about: string;
  /**
   * Set when it follows the guest's trace options and the display options of
   * the command line.
   */
  readonly display?: true;
  /** A writer that hands what it writes to `sink`. */
  writer(sink: OutputSink): TraceWriter;
}
