/**
 * Walks through the kernel's text, function by function and instruction by
 * instruction, and finds places that no compiler or assembler would generate.
 *
 * Measured on Debian's 6.1.192 and 6.12.117, running: all of their 7 million
 * instructions decode, every function ends where an instruction ends, and every
 * direct branch (600,000) leads to the start of an instruction; the exceptions
 * are listed in {@linkcode Instructions.unusual}.
 *
 * @module
 */
import type { Symbols } from "../symbols/symbols.ts";
import type { Instructions, TextFaultKind } from "../../arch/instructions.ts";
import type { ImageBytes } from "./text_image.ts";

/** An instruction that cannot be part of the kernel as it was built. */
export interface TextFault {
  readonly kind: TextFaultKind;
  /** Offset in the text. */
  readonly at: number;
  /**
   * Length of the instruction in bytes; 1 when the bytes are not an
   * instruction.
   */
  readonly length: number;
  /** GVA of a branch's target. */
  readonly target?: bigint;
}

/** The result of a walk. */
export interface TextWalk {
  readonly instructions: number;
  /** Faults, in no particular order. */
  readonly faults: readonly TextFault[];
}

const START = 1;
const FUNCTION = 2;

/**
 * Walks through a text whose end is the start of a symbol.
 *
 * @param bytes the text, with the instructions that kprobes displaced put back
 * @param isCode whether there is code at a GVA outside of this text
 */
export function walkText(
  instructions: Instructions,
  symbols: Symbols,
  { start, bytes }: ImageBytes,
  isCode: (gva: bigint) => boolean,
): TextWalk {
  const functions = functionStarts(symbols, start, bytes.length);
  const marks = new Uint8Array(bytes.length);
  for (const at of functions) marks[at] = FUNCTION;
  const branches = new Branches();
  const found: TextFault[] = [];
  const decoder = instructions.decoder();
  let count = 0;
  for (let i = 0; i < functions.length; i++) {
    const end = functions[i + 1] ?? bytes.length;
    for (let at = functions[i]; at < end;) {
      marks[at] |= START;
      const length = decoder.decode(bytes, at);
      if (length === 0) {
        found.push({ kind: "none", at, length: 1 });
        break;
      }
      count++;
      if (at + length > end) found.push({ kind: "runs over", at, length });
      if (decoder.branch !== undefined) branches.add(at, decoder.target, i);
      at += length;
    }
  }
  const wrong = (
    at: number,
    to: number,
    i: number,
  ): TextFaultKind | undefined => {
    if (to < 0 || to >= bytes.length) {
      return isCode(gvaOf(to)) ? undefined : "nowhere";
    }
    if ((marks[to] & START) === 0) return "amid instruction";
    if ((marks[to] & FUNCTION) !== 0) return undefined;
    if (to >= functions[i] && to < (functions[i + 1] ?? bytes.length)) {
      return undefined;
    }
    decoder.decode(bytes, at);
    if (decoder.branch !== "call") return undefined;
    // With call depth tracking, calls lead to the code that it put before the
    // function.
    const name = symbols.lookup(gvaOf(to))?.name;
    return name?.startsWith("__pfx_") === true ? undefined : "amid function";
  };
  const gvaOf = (at: number) => BigInt.asUintN(64, start + BigInt(at));
  for (let b = 0; b < branches.count; b++) {
    const at = branches.at[b];
    const to = branches.to[b];
    const kind = wrong(at, to, branches.within[b]);
    if (kind === undefined) continue;
    const length = decoder.decode(bytes, at);
    found.push({ kind, at, length, target: gvaOf(to) });
  }
  const faults = found.filter(({ kind, at }) => {
    const name = symbols.lookup(start + BigInt(at))?.name ?? "";
    return !instructions.unusual.some(([pattern, kinds]) =>
      kinds.includes(kind) && pattern.test(name)
    );
  });
  return { instructions: count, faults };
}

/**
 * Offsets of all symbols in a text, ascending and without duplicates; the first
 * is 0.
 */
function functionStarts(
  symbols: Symbols,
  start: bigint,
  length: number,
): number[] {
  const starts = [0];
  for (let at = 0; at < length;) {
    const symbol = symbols.lookup(start + BigInt(at));
    if (symbol === undefined || symbol.size === 0) break;
    at = Number(symbol.address - start) + symbol.size;
    if (at < length) starts.push(at);
  }
  return starts;
}

/** A table of direct branches: place, target, and containing function. */
class Branches {
  count = 0;
  at = new Int32Array(1 << 16);
  to = new Int32Array(1 << 16);
  within = new Int32Array(1 << 16);

  add(at: number, to: number, within: number): void {
    if (this.count === this.at.length) {
      this.at = grown(this.at);
      this.to = grown(this.to);
      this.within = grown(this.within);
    }
    this.at[this.count] = at;
    this.to[this.count] = to;
    this.within[this.count++] = within;
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
