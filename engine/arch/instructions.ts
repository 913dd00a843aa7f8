/**
 * An architecture's instructions, as far as the rest of the engine looks at
 * them: how long they are, and where direct branches lead.
 *
 * @module
 */
import type { MappedRange } from "../memory/gva_ranges.ts";

/** What an instruction does to the flow: a direct branch, or anything else. */
export type Branch = "call" | "jump" | undefined;

/**
 * Reads instructions one by one, millions of them: it holds what the last one
 * was, and allocates nothing.
 */
export interface Decoder {
  /**
   * Reads the instruction at an offset.
   *
   * @returns its length in bytes; 0 when the bytes are none
   */
  decode(bytes: Uint8Array, at: number): number;
  /** Whether the last instruction was a direct branch, conditional or not. */
  readonly branch: Branch;
  /** Offset in the bytes to which it leads; only of a branch. */
  readonly target: number;
}

/** A direct branch, by GVA. */
export interface BranchAt {
  readonly kind: "call" | "jump";
  /** GVA it leads to. */
  readonly target: bigint;
}

/** What may be wrong with an instruction in text. */
export type TextFaultKind =
  /** The bytes are no instruction. */
  | "none"
  /** It goes on in the next function. */
  | "runs over"
  /** A branch into the midst of an instruction. */
  | "amid instruction"
  /** A call into the midst of another function. */
  | "amid function"
  /** A branch to where there is no code. */
  | "nowhere";

/** An instruction that leads out of a text. */
export interface WayOut {
  /** GVA of the instruction. */
  readonly from: bigint;
  readonly bytes: Uint8Array;
  /** GVA it leads to, or holds. */
  readonly target: bigint;
  readonly how: "calls" | "jumps to" | "holds the address of";
}

/** A text whose ways out are looked for. */
export interface ScannedText {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly bytes: Uint8Array;
  /**
   * Offset at which the function begins that holds the byte at an offset;
   * `undefined` when no symbol of this text covers it.
   */
  functionStart(at: number): number | undefined;
}

/** The instructions of an architecture. */
export interface Instructions {
  /** A new decoder. */
  decoder(): Decoder;
  /** Bytes of the longest instruction that {@linkcode branchAt} knows. */
  readonly longestBranch: number;
  /**
   * The direct branch that bytes begin with; `undefined` when they begin with
   * another instruction.
   *
   * @param gva where they lie
   */
  branchAt(bytes: Uint8Array, gva: bigint): BranchAt | undefined;
  /**
   * Length of the no-op that bytes begin with, of those that the kernel puts
   * in place of a branch; 0 when it is none of them.
   */
  nopAt(bytes: Uint8Array): number;
  /** Whether bytes begin with a breakpoint. */
  isBreakpoint(bytes: Uint8Array): boolean;
  /** Whether a byte fills gaps between functions, or stands for no code. */
  isFiller(byte: number): boolean;
  /**
   * Whether a page holds thunks that are in no book of the kernel's, and
   * nothing else.
   */
  isThunkPage(page: Uint8Array): boolean;
  /**
   * Instructions of a text whose branch distance or immediate is an address
   * in `executable` within the region of modules.
   */
  waysOut(text: ScannedText, executable: readonly MappedRange[]): WayOut[];
  /** Functions that are made differently, and what may be wrong with them. */
  readonly unusual: readonly (readonly [
    name: RegExp,
    kinds: readonly TextFaultKind[],
  ])[];
}
