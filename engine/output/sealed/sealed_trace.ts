/**
 * A sealed recording as a source of events, for the formats of traces: its
 * verified entries alone, in order of time. Where an entry was lost, or is not
 * genuine, events are missing.
 *
 * @module
 */
import { archNamed } from "../../arch/all.ts";
import { type FtraceSites, withoutOffset } from "../../arch/ftrace_sites.ts";
import type { ClockBounds } from "../../ftrace/clock/clock_map.ts";
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import type { TraceLayout } from "../../ftrace/ring/meta.ts";
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
import type { TextSymbols, TraceMeta } from "../text/environment.ts";
import { FLAGS_BEFORE_LAZY } from "../text/guest/entry_flags.ts";
import { DEFAULT_TEXT_OPTIONS } from "../text/options.ts";
import type { TimedLoss, TimedRuns } from "../time_line/timed_runs.ts";
import type { SourceSeal, TraceSource } from "../writer.ts";
import { CpuRow } from "./cpu_row.ts";

/** The most rows of a run. */
const LONGEST_RUN = 4096;
/** Threads of which names and open calls are kept; a guest may invent any. */
const MOST_THREADS = 1 << 16;
/** More levels than calls have. */
const DEEPEST = 64;
/** Arguments of a system call. */
const ARGUMENTS = 6;

/** Types of our own: a module's entries have none. */
const ENTRY_TYPE = 11;
const RETURN_TYPE = 10;
/** Where a row's payload has what; no kernel wrote it. */
const AT = { func: 8, depth: 16, caller: 24, args: 32 } as const;
const ENTRY_BYTES = AT.args;
const MOST_BYTES = AT.args + 8 * ARGUMENTS;
const RETURN_BYTES = 40;

/** The layout of the rows that are made of entries. */
const LAYOUT: TraceLayout = {
  page: { timeStamp: 0, commit: 8, data: 16 },
  types: {
    fn: -1,
    ctx: -1,
    wake: -1,
    stack: -1,
    print: -1,
    bprint: -1,
    graphRet: RETURN_TYPE,
    graphEnt: -1,
    graphRetaddrEnt: ENTRY_TYPE,
    userStack: -1,
    bputs: -1,
    hwlat: -1,
    osnoise: -1,
    timerlat: -1,
    rawData: -1,
    funcRepeats: -1,
    last: 20,
  },
  graphEntry: {
    func: AT.func,
    depth: AT.depth,
    size: ENTRY_BYTES,
    args: AT.args,
    retaddr: AT.caller,
  },
  graphReturn: {
    func: AT.func,
    depth: AT.depth,
    overrun: 20,
    retval: -1,
    calltime: 24,
    rettime: 32,
    size: RETURN_BYTES,
  },
  graphFirst: RETURN_TYPE,
  graphLast: ENTRY_TYPE,
  fn: { ip: 8, parentIp: 16, args: -1 },
  stack: { size: 8, caller: 16 },
  userStack: { tgid: 8, caller: 16 },
  print: { ip: 8, buf: 16 },
  bprint: { ip: 8, fmt: 16, buf: 24 },
  bputs: { ip: 8, str: 16 },
  rawData: { id: 8, buf: 12 },
  funcRepeats: undefined,
};

/**
 * The verified entries of a recording.
 *
 * @example
 * ```ts ignore
 * import { formatNamed, SealedTrace, writeTimeLine } from "xftrace/output";
 *
 * const trace = SealedTrace.read("web1.xfs");
 * console.log(trace.verification.total.verified);
 * const source = trace.source({ kind: "good", text: "verified" });
 * const runs = trace.runs(trace.start, (ts) => ts);
 * writeTimeLine(
 *   [{ source, runs }],
 *   formatNamed("jsonl").writer((chunk) => console.log(chunk)),
 * );
 * ```
 */
export class SealedTrace {
  readonly #rows: ReadonlyMap<number, CpuRow>;
  readonly #comms = new Map<number, string>();
  readonly #tgids = new Map<number, number>();
  /** When calls were entered, by thread and depth. */
  readonly #open = new Map<number, Float64Array>();

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
  ): SealedTrace {
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
    return new SealedTrace(verification, rows);
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
      layout: LAYOUT,
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
    const columns = new EventColumns(epoch, LONGEST_RUN);
    const arena = new PageArena(LONGEST_RUN * MOST_BYTES, 1);
    arena.acquire();
    for (;;) {
      let best: Head | undefined;
      let time = Infinity;
      let until = Infinity;
      for (const head of heads) {
        const own = head.time;
        if (own < time) {
          until = time;
          best = head;
          time = own;
        } else if (own < until) until = own;
      }
      if (best === undefined) break;
      const { cpu, row } = best;
      columns.clear();
      let losses: TimedLoss[] = [];
      let refresh = false;
      while (
        best.at < row.count && columns.length < LONGEST_RUN &&
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
          this.#add(columns, arena, cpu, row, at, map(time));
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
    }
    const { total } = this.verification;
    const lost = VERDICTS.reduce(
      (sum, verdict) => verdict === "verified" ? sum : sum + total[verdict],
      0,
    );
    return { lost, dropped: 0 };
  }

  /** Appends a row for the entry or the return of a function. */
  #add(
    columns: EventColumns,
    arena: PageArena,
    cpu: number,
    from: CpuRow,
    at: number,
    ts: number,
  ): void {
    const row = columns.length++;
    const entered = from.kind(at) === ENTRY_KIND.entry;
    const pid = from.word(at, WORD.pid);
    const depth = Math.min(DEEPEST - 1, from.depth(at));
    const time = from.time(at);
    const lo = from.word(at, WORD.func);
    const hi = from.word(at, WORD.func + 1);
    const offset = row * MOST_BYTES;
    const { view } = arena;
    columns.ts[row] = Math.round(ts);
    columns.cpu[row] = cpu;
    columns.type[row] = entered ? ENTRY_TYPE : RETURN_TYPE;
    columns.pid[row] = pid;
    columns.offset[row] = offset;
    columns.kind[row] = entered ? KIND.entryRetaddr : KIND.return;
    columns.func[2 * row] = lo;
    columns.func[2 * row + 1] = hi;
    columns.depth[row] = depth;
    arena.bytes.fill(0, offset, offset + MOST_BYTES);
    view.setUint16(offset, columns.type[row], true);
    view.setInt32(offset + 4, pid, true);
    view.setInt32(offset + AT.func, lo, true);
    view.setInt32(offset + AT.func + 4, hi, true);
    view.setInt32(offset + AT.depth, depth, true);
    const open = this.#openOf(pid === 0 ? -1 - cpu : pid);
    if (entered) {
      open[depth] = time;
      columns.duration[row] = 0;
      columns.size[row] = this.#entry(view, offset, from, at);
    } else {
      // Some kernels do not say how long it took.
      const took = from.word(at, WORD.argument + 1) * 2 ** 32 +
        (from.word(at, WORD.argument) >>> 0);
      const since = time - open[depth];
      columns.duration[row] = took > 0 ? took : since >= 0 ? since : 0;
      open[depth] = NaN;
      columns.size[row] = RETURN_BYTES;
    }
  }

  /** Writes what only entries have; returns the size. */
  #entry(
    view: DataView,
    offset: number,
    from: CpuRow,
    at: number,
  ): number {
    const copy = (to: number, index: number, word: number) => {
      view.setInt32(offset + to, from.word(index, word), true);
      view.setInt32(offset + to + 4, from.word(index, word + 1), true);
    };
    copy(AT.caller, at, WORD.caller);
    const arguments_ = from.word(at, WORD.extra) > 0 &&
      from.kindNext(at + 1) === ENTRY_KIND.arguments;
    if (!arguments_) return ENTRY_BYTES;
    copy(AT.args, at, WORD.argument);
    [WORD.time, WORD.func, WORD.caller, WORD.argument].forEach((word, i) =>
      copy(AT.args + 8 * (i + 1), at + 1, word)
    );
    const last = offset + AT.args + 40;
    view.setInt32(last, from.word(at + 1, WORD.pid), true);
    view.setInt32(last + 4, from.word(at + 1, WORD.extra), true);
    return MOST_BYTES;
  }

  #openOf(thread: number): Float64Array {
    let open = this.#open.get(thread);
    if (open === undefined) {
      if (this.#open.size >= MOST_THREADS) this.#open.clear();
      open = new Float64Array(DEEPEST).fill(NaN);
      this.#open.set(thread, open);
    }
    return open;
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
  while (
    at < row.count &&
    (row.kind(at) === ENTRY_KIND.arguments || row.kind(at) === ENTRY_KIND.path)
  ) at++;
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

/**
 * The names that a recording has. What is called by its name is the kernel's or
 * a module's; all else is called by its address.
 */
function recordedSymbols(
  { kernelText: [start, end] }: RecordingHeader,
  names: Names,
  sites: FtraceSites,
): TextSymbols {
  const text = [BigInt(start), BigInt(end)] as const;
  const known = new Map<string, string>();
  const find = (lo: number, hi: number): [string, string | undefined] => {
    const address = BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
    const hex = `0x${address.toString(16)}`;
    const name = names[hex];
    const kernel = address >= text[0] && address < text[1];
    return [hex, kernel || name?.endsWith("]") === true ? name : undefined];
  };
  const bare = (lo: number, hi: number) => {
    const [hex, name] = find(lo, hi);
    if (name === undefined) return hex;
    let short = known.get(name);
    if (short === undefined) {
      short = withoutOffset(sites, name).replace(/\+0x[0-9a-f]+/, "");
      known.set(name, short);
    }
    return short;
  };
  const whole = (lo: number, hi: number) => {
    const [hex, name] = find(lo, hi);
    return name ?? hex;
  };
  return { bare, ps: bare, pS: whole, pB: whole };
}
