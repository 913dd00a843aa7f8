/**
 * The interface of trace formats: a writer that first learns about the trace,
 * then takes its events in time order, as rows of columns, and the losses where
 * they happened.
 *
 * @module
 */
import type { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { PageTable, PageVerdict } from "./page/data.ts";
import type { TraceMeta } from "./text/environment.ts";
import type { EntryCounts } from "./text/header.ts";
import type { RecordBytes } from "./text/record.ts";
import type { TraceTextOptions } from "./text/options.ts";

/**
 * Takes the output piece by piece: text, or bytes that are written unchanged,
 * and that are valid until it returns.
 */
export type OutputSink = (chunk: string | Uint8Array<ArrayBuffer>) => void;

/** How the times of a source were put on a time line that several share. */
export interface Alignment {
  /** The clock of the time line: `CLOCK_MONOTONIC of the host`. */
  readonly clock: string;
  /** The most by which a time may be wrong, in ns; `null` if not known. */
  readonly errorNs: number | null;
  /**
   * Spans of time, of the time line, in which it may be wrong by more than
   * {@linkcode errorNs}: the guest stood still there, or its clock was set.
   */
  readonly torn: readonly {
    /** ns of the clock, as decimal digits. */
    readonly from: string;
    readonly until: string;
    readonly errorNs: number;
  }[];
}

/** What is said of the seal of a source. */
export interface SourceSeal {
  readonly kind: PageVerdict["kind"];
  /** The verdict in a sentence. */
  readonly text: string;
}

/** A guest's trace: everything about it except its events. */
export interface TraceSource {
  /**
   * Where the events come from: the content of the buffers at one moment,
   * everything collected over a period, or what happens now.
   */
  readonly kind: "buffers" | "collected" | "live";
  /** The guest as the user names it: `qemu:web1`. */
  readonly target?: string;
  /** Its kernel, CPUs, clock, names and event formats. */
  readonly meta: TraceMeta;
  /** The trace options that affect what its trace file shows. */
  readonly options: TraceTextOptions;
  /** For buffers: how many entries they hold, and how many were written. */
  readonly counts?: EntryCounts;
  /** For buffers: the number of entries overwritten on all CPUs. */
  readonly overruns?: number;
  /**
   * For buffers: CPUs that had entries older than `time_start`, which were left
   * out.
   */
  readonly skippedCpus?: ReadonlySet<number>;
  /** What files for other tools must contain besides the events. */
  readonly file?: TraceFileFacts;
  /** If it shares a time line with others: how its times came there. */
  readonly aligned?: Alignment;
  /** If it is sealed: the verdict. Its events are genuine, or not passed on. */
  readonly seal?: SourceSeal;
}

/**
 * What a file that other tools are to read must contain, and what is not needed
 * for printing.
 */
export interface TraceFileFacts {
  /** Bytes of a `long` in the guest's kernel. */
  readonly longSize: 4 | 8;
  /** Whether numbers in the file are little-endian; they are here, always. */
  readonly little: boolean;
  /** The content of `trace_clock`: `[local] global`. */
  readonly clock: string;
  readonly uname?: string;
  /** The name of the instance; empty for the top level. */
  readonly instance: string;
  /** The `format` files of all events. */
  formats(): readonly { readonly system: string; readonly text: string }[];
  /** The content of /proc/kallsyms. */
  kallsyms(): string;
  /**
   * The message of a `bprint` or `bputs` entry, if it is not that of a guest of
   * 64 bits.
   */
  message?(bytes: RecordBytes): string;
  /** Turns an entry around, if the file is not little-endian. */
  turn?(
    view: DataView<ArrayBuffer>,
    at: number,
    length: number,
    type: number,
  ): void;
}

/** Events that are missing. */
export interface Loss {
  readonly source: TraceSource;
  /** The CPU that lost them. */
  readonly cpu: number;
  /** How many; -1 if unknown. */
  readonly count: number;
  /** Time of the CPU's next event after the loss, in ns of the trace clock. */
  readonly before: bigint;
}

/** The totals of a trace. */
export interface TraceTotals {
  /** Number of events passed to the writer. */
  readonly events: number;
  /** Number of events that the guest wrote but that could not be read. */
  readonly lost: number;
  /** Number of events that the guest overwrote, or could not write. */
  readonly dropped: number;
}

/**
 * Some of a source's events: consecutive rows of one CPU, later than everything
 * that was passed on before. The same object is reused for each run, and rows
 * and payloads are invalid after the writer has returned.
 */
export class EventRun {
  /** The trace to which they belong. */
  source: TraceSource;
  /** The rows. */
  columns: EventColumns;
  /** Contains the payloads of the rows. */
  arena: PageArena;
  /** The first row. */
  from = 0;
  /** One past the last row. */
  to = 0;
  /**
   * The CPU's next event, a row of the same columns that will be in a later
   * run; -1 if there is none, or it is not known yet.
   */
  next = -1;
  /**
   * Time of the source's next event on any CPU, in ns since the columns' epoch;
   * NaN if there is none, or it is not known yet.
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
   * Consumes the CPU's next event ahead of time, so that it is not passed on
   * again. The kernel's own text does so with the return of a call that called
   * nothing.
   */
  takeNext(): void {
    this.tookNext = true;
  }
}

/** Writes traces in one format. */
export interface TraceWriter {
  /**
   * Begins a trace.
   *
   * @param sources the guests whose events will follow, on a common time line
   * @throws {XftraceError} when the format cannot show them.
   */
  begin(sources: readonly [TraceSource, ...TraceSource[]]): void;
  /** Takes events, which are no earlier than those before. */
  events(run: EventRun): void;
  /** Events are missing at this point. */
  lost(loss: Loss): void;
  /**
   * The names of threads may have changed, so cached ones must be read again.
   */
  refresh?(): void;
  /** Passes on what has been gathered, because somebody is watching. */
  flush?(): void;
  /** Ends the trace. */
  end(totals: TraceTotals): void;
  /**
   * What of the trace the format could not carry, a sentence each: to be asked
   * for at the end.
   */
  leftOut?(): readonly string[];
}

/** How a writer writes. */
export interface WriterOptions {
  /**
   * Whether the guest's texts are escaped ({@linkcode shown}), for output on a
   * terminal; default: each byte is as in the guest's own trace file. Formats
   * that escape in any case do not need it.
   */
  readonly escaped?: boolean;
  /**
   * Whether text may be passed on as bytes, which costs less; default: it is
   * passed on as strings. Only formats that make bytes take it into account.
   */
  readonly bytes?: boolean;
  /** For pages: what they say besides the trace. */
  readonly page?: {
    readonly verdict?: PageVerdict;
    readonly facts?: readonly (readonly [name: string, text: string])[];
    readonly tables?: readonly PageTable[];
  };
}

/** A format: one file in formats/, listed in formats.ts. */
export interface TraceFormat {
  /** The name that `--format` accepts. */
  readonly name: string;
  /** A short description, for lists of formats. */
  readonly about: string;
  /**
   * Set if it honours the guest's trace options and the display options of the
   * command line.
   */
  readonly display?: true;
  /** Set if it consists of bytes that are not text. */
  readonly binary?: true;
  /** Set if it holds the trace of one guest. */
  readonly single?: true;
  /** Creates a writer that writes to `sink`. */
  writer(sink: OutputSink, options?: WriterOptions): TraceWriter;
}
