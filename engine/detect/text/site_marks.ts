/**
 * Marks the bytes of a text with the mechanism that may change them.
 *
 * @module
 */
import type { Symbols } from "../../kernel/symbols/symbols.ts";
import type { Arch } from "../../arch/arch.ts";
import type { Decoder } from "../../arch/instructions.ts";
import type { NamedSite, SiteLength } from "../../arch/patching.ts";

/** For each byte of a text, the index of the mechanism that may change it. */
export interface PatchSites {
  /** See {@linkcode Patching.mechanisms}. */
  readonly mechanisms: readonly string[];
  readonly marks: Uint8Array;
  /** For each marked byte, its distance from the start of its site. */
  readonly offsets: Uint8Array;
  /**
   * What else may change a byte, by its offset: the site in which a smaller one
   * lies. Kernels that need no thunks write alternatives over their sites
   * (apply_alternatives runs after apply_returns).
   */
  readonly around: ReadonlyMap<number, Site>;
  /** Offsets of calls that call depth tracking may redirect. */
  readonly calls: ReadonlySet<number>;
}

/** A patch site. */
export interface Site {
  /** Offset of its first byte. */
  readonly at: number;
  /** Index of the mechanism that may change it. */
  readonly mechanism: number;
}

/** Collects the marks of one text. */
export class SiteMarks {
  readonly marks: Uint8Array;
  /** See {@linkcode PatchSites.offsets}. */
  readonly offsets: Uint8Array;
  readonly #around = new Map<number, Site>();
  readonly #arch: Arch;
  readonly #text: Uint8Array;
  readonly #decoder: Decoder;

  /** @param text its bytes; the methods take offsets into it */
  constructor(arch: Arch, text: Uint8Array) {
    this.#arch = arch;
    this.#decoder = arch.instructions.decoder();
    this.marks = new Uint8Array(text.length);
    this.offsets = new Uint8Array(text.length);
    this.#text = text;
  }

  /** Marks a site, unless it begins outside this text. */
  mark(what: string, at: number, length: number): void {
    if (at < 0 || at >= this.#text.length) return;
    const mechanism = this.#arch.patching.mechanisms.indexOf(what);
    for (let i = at; i < Math.min(at + length, this.#text.length); i++) {
      if (this.marks[i] !== 0 && i - this.offsets[i] !== at) {
        this.#around.set(i, {
          at: i - this.offsets[i],
          mechanism: this.marks[i],
        });
      }
      this.marks[i] = mechanism;
      this.offsets[i] = i - at;
    }
  }

  /** Length of the instruction at an offset; 0 when there is none. */
  lengthAt(at: number): number {
    return at < 0 || at >= this.#text.length
      ? 0
      : this.#decoder.decode(this.#text, at);
  }

  /**
   * Marks a site whose length is given by an architecture's table.
   *
   * @param entry the table's entry
   */
  markEntry(
    what: string,
    at: number,
    length: SiteLength,
    entry: Uint8Array,
  ): void {
    const bytes = typeof length === "number"
      ? length
      : "instruction" in length
      ? Math.max(length.instruction, this.lengthAt(at))
      : entry[length.entryByte];
    this.mark(what, at, bytes);
  }

  /**
   * Marks the sites known by symbols: trampolines of static calls, and Ftrace's
   * own calls.
   *
   * @param start GVA of this text in the running kernel
   */
  markNamed(symbols: Symbols, start: bigint): void {
    const { named, staticCalls } = this.#arch.patching;
    const trampolines: NamedSite = {
      symbols: `${staticCalls.trampoline}*`,
      mechanism: staticCalls.mechanism,
      length: staticCalls.trampolineBytes,
    };
    for (const site of [trampolines, ...named]) {
      for (const name of symbols.glob(site.symbols)) {
        for (const gva of symbols.addresses(name)) {
          this.mark(site.mechanism, Number(gva - start), site.length);
        }
      }
    }
  }

  /**
   * Returns the marks.
   *
   * @param calls offsets of calls that call depth tracking may redirect
   */
  sites(calls: ReadonlySet<number> = new Set()): PatchSites {
    const { mechanisms } = this.#arch.patching;
    const { marks, offsets } = this;
    return { mechanisms, marks, offsets, around: this.#around, calls };
  }
}
