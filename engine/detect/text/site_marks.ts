/**
 * Marks on a text's bytes: which mechanism of the kernel's may change each.
 *
 * @module
 */
import type { Symbols } from "../../kernel/symbols/symbols.ts";
import type { Arch } from "../../arch/arch.ts";
import type { Decoder } from "../../arch/instructions.ts";
import type { NamedSite, SiteLength } from "../../arch/patching.ts";

/** For each byte of the text: the index of the mechanism that may change it. */
export interface PatchSites {
  /** As {@linkcode Patching.mechanisms}. */
  readonly mechanisms: readonly string[];
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
  readonly #arch: Arch;
  readonly #text: Uint8Array;
  readonly #decoder: Decoder;

  /** @param text its bytes; places in it are offsets from here on */
  constructor(arch: Arch, text: Uint8Array) {
    this.#arch = arch;
    this.#decoder = arch.instructions.decoder();
    this.marks = new Uint8Array(text.length);
    this.offsets = new Uint8Array(text.length);
    this.#text = text;
  }

  /** Marks a site; one that begins elsewhere is no site of this text. */
  mark(what: string, at: number, length: number): void {
    if (at < 0 || at >= this.#text.length) return;
    this.marks.fill(
      this.#arch.patching.mechanisms.indexOf(what),
      at,
      at + length,
    );
    for (let i = 0; i < length; i++) this.offsets[at + i] = i;
  }

  /** Bytes of the instruction at an offset; 0 when there is none. */
  lengthAt(at: number): number {
    return at < 0 || at >= this.#text.length
      ? 0
      : this.#decoder.decode(this.#text, at);
  }

  /**
   * Marks a site whose length an architecture's table tells.
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
   * Marks what the kernel patches by its own names: static calls'
   * trampolines, Ftrace's own calls.
   *
   * @param start GVA at which this text runs
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
   * What was marked.
   *
   * @param calls offsets of calls that call depth tracking may bend
   */
  sites(calls: ReadonlySet<number> = new Set()): PatchSites {
    const { mechanisms } = this.#arch.patching;
    return { mechanisms, marks: this.marks, offsets: this.offsets, calls };
  }
}
