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
import { KeptTexts } from "./bytes/kept_texts.ts";
import type { NumberedTexts, TextRoom } from "./bytes/numbered_texts.ts";
import { packed, type TextBuffer } from "./bytes/text_buffer.ts";
import {
  type ClockText,
  overheadMark,
  writeGraphDuration,
} from "./duration.ts";
import type { TraceTextOptions } from "./options.ts";

/**
 * The indentation does not grow beyond this depth, so that a damaged depth does
 * not produce a huge text.
 */
const DEEPEST = 4096;

/** The text of the duration's columns if there is no duration. */
const FILL_FULL = "              |  ";
const LITERALS = new KeptTexts();
const FILL = LITERALS.add(FILL_FULL);
const END_OF_COMMENT = packed(" */\n");
const BRACE = packed("}\n");
const COMMENT = packed("/* ");
const LINE = packed("|  ");

const NEWLINE = 0x0a;
const SPACE = 0x20;

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
  readonly #cpuTexts: NumberedTexts;
  readonly #cpuWidth: number;
  readonly #names: (lo: number, hi: number) => string;
  /** Names as they begin a call, as they are for a leaf, and alone. */
  readonly #open: NumberedTexts;
  readonly #leaves: NumberedTexts;
  readonly #bare: NumberedTexts;
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
  readonly #durationShown: boolean;
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
    room: TextRoom,
  ) {
    this.#cpuTexts = room.table();
    this.#open = room.table();
    this.#leaves = room.table();
    this.#bare = room.table();
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
    this.#durationShown = options.graph.duration && options.contextInfo;
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
   * Writes the lines of a graph row.
   *
   * @param next the row after it on the same CPU, or -1 if there is none (yet).
   * {@linkcode tookNext} says whether it was the return of a leaf, and so has
   * been drawn already.
   */
  write(out: TextBuffer, row: number, next: number): void {
    this.tookNext = false;
    if (this.#columns.kind[row] === KIND.return) this.#return(out, row);
    else this.#entry(out, row, next);
  }

  /** Writes what precedes the body of a comment, including `/* `. */
  beginComment(out: TextBuffer, row: number): void {
    const depth = this.#state.depthAt(this.#columns.cpu[row]);
    this.#prologue(out, row, 0);
    if (this.#durationShown) out.kept(LITERALS, FILL);
    if (depth > 0) indent(out, depth + 1);
    out.four(COMMENT);
    out.length--;
  }

  /**
   * Ends a comment, without the newline of its body.
   *
   * @param start where the body begins
   */
  endComment(out: TextBuffer, start: number): void {
    if (out.length > start && out.bytes[out.length - 1] === NEWLINE) {
      out.length--;
    }
    out.four(END_OF_COMMENT);
  }

  #entry(out: TextBuffer, row: number, next: number): void {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const depth = columns.depth[row];
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    const irq = this.#isIrqEntry(lo, hi);
    if (
      this.#hidesIrqs && this.#state.hidesEntry(cpu, depth, irq)
    ) {
      return;
    }
    this.#prologue(out, row, irq ? KIND.entry : 0);
    if (next >= 0 && isLeaf(columns, row, next)) {
      this.tookNext = true;
      this.#state.leaf(cpu, depth);
      this.#duration(out, columns.duration[next]);
      indent(out, depth);
      this.#leafCall(out, row, lo, hi, next);
      // The kernel's current entry is still that of the call.
      if (irq) this.#irq(out, row, KIND.return);
      return;
    }
    this.#state.enter(cpu, depth, lo, hi);
    if (this.#durationShown) out.kept(LITERALS, FILL);
    indent(out, depth);
    if (!this.#entryExtras) {
      this.#name(out, this.#open, lo, hi, "() {\n");
      return;
    }
    this.#name(out, this.#bare, lo, hi, "");
    const from = this.#returnAddress(row);
    out.text(
      this.#arguments(row, lo, hi) + " {" +
        (from === "" ? "" : ` /*${from} */`) + "\n",
    );
  }

  /** A function's name, and what follows it. */
  #name(
    out: TextBuffer,
    texts: NumberedTexts,
    lo: number,
    hi: number,
    after: string,
  ): void {
    const place = texts.find(lo, hi);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, lo, hi, this.#names(lo, hi) + after);
  }

  #return(out: TextBuffer, row: number): void {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const depth = columns.depth[row];
    const graph = this.#options.graph;
    if (this.#hidesIrqs && this.#state.hidesReturn(cpu, depth)) return;
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    const matched = this.#state.leave(cpu, depth, lo, hi) ||
      this.#stateless;
    this.#prologue(out, row, 0);
    this.#duration(out, columns.duration[row]);
    indent(out, depth);
    if (this.#retval) {
      out.text(`} /* ${this.#names(lo, hi)}${this.#returnValue(row)} */\n`);
    } else if (matched && !graph.tail) {
      out.pair(BRACE);
    } else {
      out.text("} /* ");
      this.#name(out, this.#bare, lo, hi, "");
      out.text(" */\n");
    }
    if (graph.overrun) {
      out.text(` (Overruns: ${this.#overrun(row)})\n`);
    }
    if (this.#isIrqEntry(lo, hi)) this.#irq(out, row, KIND.return);
  }

  #leafCall(
    out: TextBuffer,
    row: number,
    lo: number,
    hi: number,
    returnRow: number,
  ): void {
    if (!this.#entryExtras && !this.#retval) {
      this.#name(out, this.#leaves, lo, hi, "();\n");
      return;
    }
    this.#name(out, this.#bare, lo, hi, "");
    const extra = this.#returnAddress(row) +
      (this.#retval ? this.#returnValue(returnRow) : "");
    out.text(
      this.#arguments(row, lo, hi) +
        (extra === "" ? ";\n" : `; /*${extra} */\n`),
    );
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
  #prologue(out: TextBuffer, row: number, kind: number): void {
    const columns = this.#columns;
    const cpu = columns.cpu[row];
    const pid = columns.pid[row];
    const previous = this.#stateless ? -1 : this.#state.switchTo(cpu, pid);
    if (previous !== pid && previous !== -1) {
      this.#banner(out, cpu, previous, pid);
    }
    if (kind !== 0) this.#irq(out, row, kind);
    if (this.#options.contextInfo) this.#lead(out, row, cpu, pid);
  }

  /** Time, CPU, task and flags, if they are shown. */
  #lead(out: TextBuffer, row: number, cpu: number, pid: number): void {
    const graph = this.#options.graph;
    if (graph.abstime) this.#clock.writeGraph(out, this.#columns.ts[row]);
    if (graph.reltime) out.text(this.#relative(this.#columns.ts[row]));
    if (graph.cpu) {
      const texts = this.#cpuTexts;
      const place = texts.find(cpu, 0);
      if (place >= 0) out.kept(texts, place);
      else texts.write(out, cpu, 0, this.#cpu(cpu));
    }
    if (graph.proc) out.text(this.#tasks.graph(pid) + " | ");
    if (this.#options.latencyFormat) {
      const at = this.#columns.offset[row] >>> 2;
      out.text(` ${this.#flags(this.#arena.words, at)} | `);
    }
  }

  #relative(ts: number): string {
    const start = Number(this.#columns.epoch - this.#meta.timeStart);
    return String(Math.floor((start + ts) / 1000)).padStart(9) + " us |  ";
  }

  #banner(out: TextBuffer, cpu: number, from: number, to: number): void {
    out.text(
      " ------------------------------------------\n" +
        this.#cpu(cpu) + this.#tasks.graph(from) + " => " +
        this.#tasks.graph(to) +
        "\n ------------------------------------------\n\n",
    );
  }

  /** `print_graph_irq`: an arrow line. */
  #irq(out: TextBuffer, row: number, kind: number): void {
    const columns = this.#columns;
    if (this.#options.contextInfo) {
      this.#lead(out, row, columns.cpu[row], columns.pid[row]);
    }
    const arrow = kind === KIND.entry ? "==========>" : "<==========";
    out.text(this.#durationShown ? `  ${arrow} |\n` : `${arrow}\n`);
  }

  #isIrqEntry(lo: number, hi: number): boolean {
    return this.#irqEntry.has(lo, hi);
  }

  #cpu(cpu: number): string {
    return ` ${String(cpu).padStart(this.#cpuWidth)}) `;
  }

  get #hidesIrqs(): boolean {
    return !this.#options.graph.irqs && !this.#stateless;
  }

  #duration(out: TextBuffer, ns: number): void {
    if (!this.#durationShown) return;
    const mark = this.#options.graph.overhead ? overheadMark(ns) : " ";
    out.char(mark.charCodeAt(0));
    out.char(SPACE);
    writeGraphDuration(out, ns);
    out.four(LINE);
    out.length--;
  }
}

function hex16(lo: number, hi: number): string {
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}

/** Two spaces for each level (TRACE_GRAPH_INDENT). */
function indent(out: TextBuffer, depth: number): void {
  out.spaces(2 * Math.min(depth, DEEPEST));
}
