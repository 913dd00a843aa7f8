/**
 * Renders function graph lines (kernel/trace/trace_functions_graph.c).
 *
 * @module
 */

import { RangeTest } from "../../memory/gva_ranges.ts";
import {
  type EventColumns,
  KIND,
  type PageArena,
} from "../../ftrace/ring/columns.ts";
import { GraphState, isLeaf } from "../../ftrace/graph/graph.ts";
import type { FlagWriter } from "./guest/entry_flags.ts";
import type { TraceMeta } from "./environment.ts";
import type { TaskText } from "./context.ts";
import { type ClockText, graphDuration, overheadMark } from "./duration.ts";
import type { TraceTextOptions } from "./options.ts";

/** Two spaces for each level (TRACE_GRAPH_INDENT); filled as levels occur. */
const INDENT: string[] = [];
/**
 * The indentation does not grow beyond this depth, so that a damaged depth does
 * not produce a huge text.
 */
const DEEPEST = 4096;

/** The text of the duration's columns if there is no duration. */
const FILL_FULL = "              |  ";

/**
 * Renders function graph rows, and keeps the state that the kernel keeps for
 * each CPU.
 */
export class GraphText {
  /** Whether the last row's line included the row after it. */
  tookNext = false;
  readonly #meta: TraceMeta;
  readonly #options: TraceTextOptions;
  readonly #tasks: TaskText;
  readonly #flags: FlagWriter;
  readonly #state = new GraphState();
  readonly #cpus: string[] = [];
  readonly #cpuWidth: number;
  readonly #names: (lo: number, hi: number) => string;
  readonly #irqEntry: RangeTest;
  /**
   * Whether the kernel keeps nothing from line to line (`iter->private`), as it
   * does not when the tracer is another one by now.
   */
  readonly #stateless: boolean;
  /** Whether return values are recorded, and are to be shown. */
  readonly #retval: boolean;
  /** Whether entries may contain more than the function and the depth. */
  readonly #entryExtras: boolean;
  #columns: EventColumns;
  #arena: PageArena;
  #clock: ClockText;

  constructor(
    meta: TraceMeta,
    options: TraceTextOptions,
    tasks: TaskText,
    flags: FlagWriter,
    columns: EventColumns,
    arena: PageArena,
    clock: ClockText,
  ) {
    this.#meta = meta;
    this.#options = options;
    this.#tasks = tasks;
    this.#flags = flags;
    this.#columns = columns;
    this.#arena = arena;
    this.#clock = clock;
    this.#names = meta.drawn ?? meta.symbols.ps;
    this.#stateless = meta.tracer !== "function_graph";
    this.#cpuWidth = String(Math.max(0, meta.nrCpuIds - 1)).length;
    const { graphEntry, graphReturn } = meta.layout;
    this.#retval = options.graph.retval && graphReturn.retval >= 0;
    this.#entryExtras = graphEntry.args >= 0 || graphEntry.retaddr >= 0;
    this.#irqEntry = new RangeTest(
      meta.irqEntryText ?? { start: 0n, end: 0n },
    );
  }

  /** Continues with other columns; the state of each CPU is kept. */
  move(columns: EventColumns, arena: PageArena, clock: ClockText): void {
    this.#columns = columns;
    this.#arena = arena;
    this.#clock = clock;
  }

  /**
   * The lines of a graph row.
   *
   * @param next the row after it on the same CPU, or -1 if there is none (yet).
   * {@linkcode tookNext} says whether it was the return of a leaf, and so has
   * been drawn already.
   */
  line(row: number, next: number): string {
    this.tookNext = false;
    return this.#columns.kind[row] === KIND.return
      ? this.#return(row)
      : this.#entry(row, next);
  }

  /** The lines of another event: `/* sched_switch: ... *\/`. */
  comment(row: number, body: string): string {
    return this.commentStart(row) +
      (body.endsWith("\n") ? body.slice(0, -1) : body) + " */\n";
  }

  /** What precedes the body of a comment, including `/* `. */
  commentStart(row: number): string {
    const depth = this.#state.depthAt(this.#columns.cpu[row]);
    const fill = this.#durationShown() ? FILL_FULL : "";
    return this.#prologue(row, 0) + fill +
      (depth > 0 ? indent(depth + 1) : "") + "/* ";
  }

  #entry(row: number, next: number): string {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const depth = columns.depth[row];
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    const irq = this.#isIrqEntry(lo, hi);
    if (
      this.#hidesIrqs && this.#state.hidesEntry(cpu, depth, irq)
    ) {
      return "";
    }
    const before = this.#prologue(row, irq ? KIND.entry : 0);
    if (next >= 0 && isLeaf(columns, row, next)) {
      this.tookNext = true;
      this.#state.leaf(cpu, depth);
      const line = before + this.#duration(columns.duration[next]) +
        indent(depth) + this.#leafCall(row, lo, hi, next);
      // The kernel's current entry is still that of the call.
      return irq ? line + this.#irq(row, KIND.return) : line;
    }
    this.#state.enter(cpu, depth, lo, hi);
    const fill = this.#durationShown() ? FILL_FULL : "";
    const call = before + fill + indent(depth) + this.#names(lo, hi);
    if (!this.#entryExtras) return call + "() {\n";
    const from = this.#returnAddress(row);
    return call + this.#arguments(row, lo, hi) + " {" +
      (from === "" ? "" : ` /*${from} */`) + "\n";
  }

  #return(row: number): string {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const depth = columns.depth[row];
    const graph = this.#options.graph;
    if (this.#hidesIrqs && this.#state.hidesReturn(cpu, depth)) return "";
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    const matched = this.#state.leave(cpu, depth, lo, hi) || this.#stateless;
    let line = this.#prologue(row, 0) +
      this.#duration(columns.duration[row]) + indent(depth);
    if (this.#retval) {
      line += `} /* ${this.#names(lo, hi)}${this.#returnValue(row)} */\n`;
    } else if (matched && !graph.tail) {
      line += "}\n";
    } else {
      line += `} /* ${this.#names(lo, hi)} */\n`;
    }
    if (graph.overrun) {
      line += ` (Overruns: ${this.#overrun(row)})\n`;
    }
    return this.#isIrqEntry(lo, hi) ? line + this.#irq(row, KIND.return) : line;
  }

  #leafCall(row: number, lo: number, hi: number, returnRow: number): string {
    const name = this.#names(lo, hi);
    if (!this.#entryExtras && !this.#retval) return name + "();\n";
    const extra = this.#returnAddress(row) +
      (this.#retval ? this.#returnValue(returnRow) : "");
    return name + this.#arguments(row, lo, hi) +
      (extra === "" ? ";\n" : `; /*${extra} */\n`);
  }

  /** ` <-caller+0x1a/0x40`, for entries that recorded it. */
  #returnAddress(row: number): string {
    if (
      !this.#options.graph.retaddr ||
      this.#columns.kind[row] !== KIND.entryRetaddr
    ) {
      return "";
    }
    const at = this.#columns.offset[row] +
      this.#meta.layout.graphEntry.retaddr;
    const lo = this.#arena.words[at >>> 2];
    const hi = this.#arena.words[(at >>> 2) + 1];
    if (lo === 0 && hi === 0) return " <-0";
    const name = " <-" + this.#meta.symbols.pS(lo, hi);
    return this.#options.symAddr ? `${name} <${hex16(lo, hi)}>` : name;
  }

  /** `(a=1, b=0x2)`, for entries that recorded their arguments. */
  #arguments(row: number, lo: number, hi: number): string {
    const start = this.#meta.layout.graphEntry.args;
    const count = (this.#columns.size[row] - start) >> 3;
    const { registerArguments } = this.#meta.arch.syscalls;
    if (start < 0 || count < registerArguments) return "()";
    // If a return address was recorded, it precedes the arguments.
    const first = count > registerArguments ? start + 8 : start;
    const args: bigint[] = [];
    for (let i = 0; i < registerArguments; i++) {
      const at = this.#columns.offset[row] + first + 8 * i;
      const low = BigInt(this.#arena.words[at >>> 2]);
      args.push(BigInt(this.#arena.words[(at >>> 2) + 1]) << 32n | low);
    }
    const name = this.#meta.symbols.bare(lo, hi);
    return `(${this.#meta.functionArguments?.(name, args) ?? ""})`;
  }

  /**
   * `print_graph_retval`: ` = 0x..`, or ` = -22` for error codes; written
   * ` ret=-22` by kernels that have TRACE_GRAPH_RETADDR_ENT (6.13).
   */
  #returnValue(row: number): string {
    const equals = this.#meta.layout.types.graphRetaddrEnt < 0
      ? " = "
      : " ret=";
    const at = this.#columns.offset[row] +
      this.#meta.layout.graphReturn.retval;
    const lo = this.#arena.words[at >>> 2];
    const hi = this.#arena.words[(at >>> 2) + 1];
    if (!this.#options.graph.retvalHex) {
      // The error code of an int fills only the low half.
      const isInt = hi === 0 && (lo & 0x80000000) !== 0;
      // IS_ERR_VALUE: the last 4095 values.
      if ((isInt || hi === 0xffffffff) && lo >= 0xfffff001) {
        return equals + (lo | 0);
      }
    }
    const hex = hi === 0
      ? lo.toString(16)
      : hi.toString(16) + lo.toString(16).padStart(8, "0");
    return equals + "0x" + hex;
  }

  #overrun(row: number): number {
    const overrun = this.#meta.layout.graphReturn.overrun;
    if (overrun < 0) return 0;
    return this.#arena.words[(this.#columns.offset[row] + overrun) >>> 2];
  }

  /** `print_graph_prologue`; `kind` is 0 for rows that draw no arrow. */
  #prologue(row: number, kind: number): string {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const pid = columns.pid[row];
    const previous = this.#stateless ? -1 : this.#state.switchTo(cpu, pid);
    let text = "";
    if (previous !== pid && previous !== -1) {
      text = this.#banner(cpu, previous, pid);
    }
    if (kind !== 0) text += this.#irq(row, kind);
    return this.#options.contextInfo ? text + this.#lead(row, cpu, pid) : text;
  }

  /** Time, CPU, task and flags, if they are shown. */
  #lead(row: number, cpu: number, pid: number): string {
    const graph = this.#options.graph;
    let text = "";
    if (graph.abstime) text += this.#clock.graph(this.#columns.ts[row]);
    if (graph.reltime) text += this.#relative(this.#columns.ts[row]);
    if (graph.cpu) text += this.#cpu(cpu);
    if (graph.proc) text += this.#tasks.graph(pid) + " | ";
    if (this.#options.latencyFormat) {
      const at = this.#columns.offset[row] >>> 2;
      text += ` ${this.#flags(this.#arena.words, at)} | `;
    }
    return text;
  }

  #relative(ts: number): string {
    const start = Number(this.#columns.epoch - this.#meta.timeStart);
    return String(Math.floor((start + ts) / 1000)).padStart(9) + " us |  ";
  }

  #banner(cpu: number, from: number, to: number): string {
    return " ------------------------------------------\n" +
      this.#cpu(cpu) + this.#tasks.graph(from) + " => " +
      this.#tasks.graph(to) +
      "\n ------------------------------------------\n\n";
  }

  /** `print_graph_irq`: an arrow line. */
  #irq(row: number, kind: number): string {
    const columns = this.#columns;
    const lead = this.#options.contextInfo
      ? this.#lead(row, columns.cpu[row], columns.pid[row])
      : "";
    const arrow = kind === KIND.entry ? "==========>" : "<==========";
    return this.#durationShown()
      ? `${lead}  ${arrow} |\n`
      : `${lead}${arrow}\n`;
  }

  #isIrqEntry(lo: number, hi: number): boolean {
    return this.#irqEntry.has(lo, hi);
  }

  #cpu(cpu: number): string {
    return this.#cpus[cpu] ??= ` ${String(cpu).padStart(this.#cpuWidth)}) `;
  }

  get #hidesIrqs(): boolean {
    return !this.#options.graph.irqs && !this.#stateless;
  }

  #durationShown(): boolean {
    return this.#options.graph.duration && this.#options.contextInfo;
  }

  #duration(ns: number): string {
    if (!this.#durationShown()) return "";
    const mark = this.#options.graph.overhead ? overheadMark(ns) + " " : "  ";
    return mark + graphDuration(ns) + "|  ";
  }
}

function hex16(lo: number, hi: number): string {
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}

function indent(depth: number): string {
  if (depth <= 0) return "";
  const known = INDENT[depth];
  if (known !== undefined) return known;
  const text = "  ".repeat(Math.min(depth, DEEPEST));
  if (depth < 1024) {
    // Filled without gaps, so that the array stays fast.
    for (let i = INDENT.length; i <= depth; i++) INDENT[i] = "  ".repeat(i);
  }
  return text;
}
