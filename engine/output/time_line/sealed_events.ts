/**
 * A sealed recording as a source of events, for the formats of traces: its
 * verified entries alone, in order of time. Where an entry was lost, or is not
 * genuine, events are missing.
 *
 * @module
 */
import { archNamed } from "../../arch/all.ts";
import type { ClockBounds } from "../../ftrace/clock/clock_map.ts";
import { ENTRY_KIND, WORD } from "../../seal/page/abi.ts";
import type {
  Names,
  RecordingHeader,
} from "../../seal/recording/recording_format.ts";
import { VERDICTS } from "../../seal/recording/verdicts.ts";
import {
  readVerified,
  type RecordingVerification,
} from "../../seal/recording/verify_recording.ts";
import type { TraceMeta } from "../text/environment.ts";
import { FLAGS_BEFORE_LAZY } from "../text/guest/entry_flags.ts";
import { DEFAULT_TEXT_OPTIONS } from "../text/options.ts";
import type { TimedLoss, TimedRuns } from "./timed_runs.ts";
import type { SourceSeal, TraceSource } from "../writer.ts";
import { CpuRow, isTimed } from "../sealed/cpu_row.ts";
import { earliest } from "./earliest.ts";
import { recordedSymbols } from "./recorded_symbols.ts";
import { MOST_SEALED_ROWS, SEALED_LAYOUT, SealedRows } from "./sealed_rows.ts";

/** Threads of which names are kept; a guest may invent any. */
const MOST_THREADS = 1 << 16;

/**
 * The verified entries of a recording.
 *
 * @example
 * ```ts ignore
 * import { formatNamed, SealedEvents, writeTimeLine } from "xftrace/output";
 *
 * const trace = SealedEvents.read("web1.xfs");
 * console.log(trace.verification.total.verified);
 * const source = trace.source({ kind: "good", text: "verified" });
 * const runs = trace.runs(trace.start, (ts) => ts);
 * writeTimeLine(
 *   [{ source, runs }],
 *   formatNamed("jsonl").writer((chunk) => console.log(chunk)),
 * );
 * ```
 */
export class SealedEvents {
  readonly #rows: ReadonlyMap<number, CpuRow>;
  readonly #comms = new Map<number, string>();
  readonly #tgids = new Map<number, number>();

  private constructor(
    /** The verdict on the recording. */
    readonly verification: RecordingVerification,
    rows: ReadonlyMap<number, CpuRow>,
  ) {
    this.#rows = rows;
  }

  /**
   * Reads and verifies a recording. All its entries are kept, some 50 bytes
   * each.
   *
   * @param klogPath the key log; default: the one beside it that it names
   * @param progress called with each entry
   * @throws {XftraceError} like `verifyRecording`.
   */
  static read(
    path: string,
    klogPath?: string,
    progress?: () => void,
  ): SealedEvents {
    const rows = new Map<number, CpuRow>();
    const verification = readVerified(
      path,
      klogPath,
      () => (cpu, sequence, words, at) => {
        let row = rows.get(cpu);
        if (row === undefined) rows.set(cpu, row = new CpuRow());
        row.add(sequence, words, at);
        progress?.();
      },
    );
    return new SealedEvents(verification, rows);
  }

  /** Time of the first entry, in ns of the guest's trace clock. */
  get start(): bigint {
    let first = Infinity;
    for (const row of this.#rows.values()) {
      const at = nextTimed(row, 0);
      if (at < row.count) first = Math.min(first, row.time(at));
    }
    return first === Infinity ? 0n : BigInt(first);
  }

  /**
   * What is known of its clock by the key log: from ns since the guest's zero to
   * ns since 1970 by the host's wall clock, less {@linkcode hostBase}.
   */
  get clock(): ClockBounds {
    return this.verification.clock;
  }

  /** From when the host's times in {@linkcode clock} count, ns since 1970. */
  get hostBase(): bigint {
    return BigInt(Math.floor(this.verification.recording.started)) * 1_000_000n;
  }

  /**
   * Describes it as a source of events.
   *
   * @param seal what is said of its seal
   * @param name as the user is to know it; default: its guest
   */
  source(seal: SourceSeal, name?: string): TraceSource {
    const { header, names } = this.verification.recording;
    return {
      kind: "collected",
      target: name ?? header.target,
      meta: this.#meta(header, names),
      options: {
        ...DEFAULT_TEXT_OPTIONS,
        graph: { ...DEFAULT_TEXT_OPTIONS.graph, retaddr: true, args: true },
      },
      seal,
    };
  }

  #meta(header: RecordingHeader, names: Names): TraceMeta {
    const arch = archNamed(header.arch);
    const cpus = [...this.#rows.keys()];
    return {
      arch,
      layout: SEALED_LAYOUT,
      tracer: "function_graph",
      entryFlags: () => FLAGS_BEFORE_LAZY,
      nrCpuIds: Math.max(0, ...cpus) + 1,
      onlineCpus: cpus.length,
      clockInNs: true,
      timeStart: 0n,
      symbols: recordedSymbols(header, names, arch.ftraceSites),
      comm: (pid) => this.#comms.get(pid),
      tgid: (pid) => this.#tgids.get(pid) ?? 0,
      format: () => undefined,
      string: () => undefined,
      release: header.kernel,
    };
  }

  /**
   * Its events, once.
   *
   * @param epoch from which times are to count, in ns
   * @param map from ns since the guest's zero to those since `epoch`
   */
  *runs(epoch: bigint, map: (ts: number) => number): TimedRuns {
    const heads = [...this.#rows].sort(([a], [b]) => a - b)
      .map(([cpu, row]) => new Head(cpu, row));
    const rows = new SealedRows(epoch);
    const { columns, arena } = rows;
    // Until the next run, which may be of another CPU.
    let refresh = false;
    for (;;) {
      const { head: best, until } = earliest(heads);
      if (best === undefined) break;
      const { cpu, row } = best;
      columns.clear();
      let losses: TimedLoss[] = [];
      while (
        best.at < row.count && columns.length < MOST_SEALED_ROWS &&
        best.time <= until
      ) {
        const { at, time } = best;
        const kind = row.kind(at);
        const missing = best.missing + row.missing(at);
        const event = kind === ENTRY_KIND.entry || kind === ENTRY_KIND.return;
        // What is missing before an event ends the run, and names as well.
        if (columns.length > 0 && (missing > 0 || kind === ENTRY_KIND.comm)) {
          break;
        }
        best.next();
        if (event) {
          if (missing > 0) losses = [{ cpu, count: missing }];
          rows.add(cpu, row, at, map(time));
        } else {
          best.missing += missing;
          if (kind === ENTRY_KIND.comm) {
            this.#name(row, at);
            refresh = true;
          }
        }
      }
      if (columns.length === 0) continue;
      yield { columns, arena, from: 0, to: columns.length, losses, refresh };
      refresh = false;
    }
    const { total } = this.verification;
    const lost = VERDICTS.reduce(
      (sum, verdict) => verdict === "verified" ? sum : sum + total[verdict],
      0,
    );
    return { lost, dropped: 0 };
  }

  /** Takes the name of a thread, and its process. */
  #name(row: CpuRow, at: number): void {
    const pid = row.word(at, WORD.pid);
    const bytes = row.bytes(at, WORD.func, 16);
    const end = bytes.indexOf(0);
    if (this.#comms.size >= MOST_THREADS) {
      this.#comms.clear();
      this.#tgids.clear();
    }
    this.#comms.set(
      pid,
      String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end))),
    );
    this.#tgids.set(pid, row.word(at, WORD.argument));
  }
}

/** The first entry from an index on that has a time. */
function nextTimed(row: CpuRow, from: number): number {
  let at = from;
  while (at < row.count && !isTimed(row.kind(at))) at++;
  return at;
}

/** A CPU, and its entry that comes next. */
class Head {
  at: number;
  /** Entries that are missing before it, besides those right before it. */
  missing = 0;
  /**
   * Its time; Infinity if there is none. It never goes back: a return may have
   * been interrupted after its time was taken, and a guest may lie.
   */
  time = 0;

  constructor(readonly cpu: number, readonly row: CpuRow) {
    this.at = nextTimed(row, 0);
    for (let i = 0; i < this.at; i++) this.missing += row.missing(i);
    this.#look();
  }

  next(): void {
    const { row, at } = this;
    this.at = nextTimed(row, at + 1);
    this.missing = 0;
    for (let i = at + 1; i < this.at; i++) this.missing += row.missing(i);
    this.#look();
  }

  #look(): void {
    const { row, at } = this;
    this.time = at < row.count ? Math.max(this.time, row.time(at)) : Infinity;
  }
}
