/**
 * Rows of columns made of the entries of a sealed recording, as if a kernel had
 * written them into its ring buffer.
 *
 * @module
 */
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import type { TraceLayout } from "../../ftrace/ring/meta.ts";
import { ENTRY_KIND, WORD } from "../../seal/page/abi.ts";
import type { CpuRow } from "../sealed/cpu_row.ts";

/** The most rows of a run. */
export const MOST_SEALED_ROWS = 4096;
/** Threads of which open calls are kept; a guest may invent any. */
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
export const SEALED_LAYOUT: TraceLayout = {
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

/** The rows of one run after another. */
export class SealedRows {
  readonly columns: EventColumns;
  readonly arena = new PageArena(MOST_SEALED_ROWS * MOST_BYTES, 1);
  /** When calls were entered, by thread and depth. */
  readonly #open = new Map<number, Float64Array>();

  /** @param epoch from which times count, in ns */
  constructor(epoch: bigint) {
    this.columns = new EventColumns(epoch, MOST_SEALED_ROWS);
    this.arena.acquire();
  }

  /** Appends a row for the entry or the return of a function. */
  add(cpu: number, from: CpuRow, at: number, ts: number): void {
    const { columns, arena } = this;
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
}
