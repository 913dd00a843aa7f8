/**
 * Marks on a text's bytes: which mechanism of the kernel's may change each.
 *
 * @module
 */
import type { Symbols } from "../../kernel/symbols/symbols.ts";
import { decode, Instruction } from "../../kernel/patching/text_decode.ts";

/** What changes text. */
export const MECHANISMS = [
  "none",
  "alternatives",
  "paravirt calls",
  "SMP locks",
  "retpolines",
  "return thunks",
  "sealed ENDBR",
  "static calls",
  "jump labels",
  "Ftrace",
  "BPF dispatchers",
  "kprobes",
  "call depth tracking",
  "runtime constants",
] as const;

/** One of {@linkcode MECHANISMS}. */
export type Mechanism = typeof MECHANISMS[number];

/** For each byte of the text: the index of the mechanism that may change it. */
export interface PatchSites {
  readonly marks: Uint8Array;
  /** For each byte that is marked: how far it is from its site's start. */
  readonly offsets: Uint8Array;
  /** Offsets of calls that call depth tracking may bend. */
  readonly calls: ReadonlySet<number>;
}

/** Marks the sites of one text. */
export class SiteMarks {
  readonly marks: Uint8Array;
  /** As {@linkcode PatchSites.offsets}. */
  readonly offsets: Uint8Array;
  readonly #text: Uint8Array;
  readonly #insn = new Instruction();

  /** @param text its bytes; places in it are offsets from here on */
  constructor(text: Uint8Array) {
    this.marks = new Uint8Array(text.length);
    this.offsets = new Uint8Array(text.length);
    this.#text = text;
  }

  /** Marks a site; one that begins elsewhere is no site of this text. */
  mark(what: Mechanism, at: number, length: number): void {
    if (at < 0 || at >= this.#text.length) return;
    this.marks.fill(MECHANISMS.indexOf(what), at, at + length);
    for (let i = 0; i < length; i++) this.offsets[at + i] = i;
  }

  /** Bytes of the instruction at an offset; 0 when there is none. */
  lengthAt(at: number): number {
    return at < 0 || at >= this.#text.length
      ? 0
      : decode(this.#text, at, this.#insn);
  }

  /**
   * Marks what the kernel patches by its own names: static calls'
   * trampolines, BPF's dispatchers, and Ftrace's own calls.
   *
   * @param start GVA at which this text runs
   */
  markNamed(symbols: Symbols, start: bigint): void {
    for (const [pattern, what, length] of NAMED) {
      for (const name of symbols.glob(pattern)) {
        for (const gva of symbols.addresses(name)) {
          this.mark(what, Number(gva - start), length);
        }
      }
    }
  }

  /**
   * What was marked.
   *
   * @param calls offsets of calls that call depth tracking may bend
   */
  sites(calls: ReadonlySet<number> = new Set()): PatchSites {
    return { marks: this.marks, offsets: this.offsets, calls };
  }
}

const NAMED: readonly (readonly [string, Mechanism, number])[] = [
  ["__SCT__*", "static calls", 8],
  ["bpf_dispatcher_*_func", "BPF dispatchers", 9],
  ["ftrace_call", "Ftrace", 5],
  ["ftrace_regs_call", "Ftrace", 5],
  ["ftrace_graph_call", "Ftrace", 5],
];
