/**
 * An architecture's instructions, as far as the rest of the engine needs them:
 * their lengths, and the targets of direct branches.
 *
 * @module
 */
import type { GvaRange, MappedRange } from "../memory/gva_ranges.ts";

/**
 * The effect of an instruction on control flow: a direct branch, or anything
 * else.
 */
export type Branch = "call" | "jump" | undefined;

/**
 * Decodes instructions one by one, millions of them: the properties describe
 * the last one decoded, and nothing is allocated.
 */
export interface Decoder {
  /**
   * Decodes the instruction at an offset.
   *
   * @returns its length in bytes; 0 when the bytes are not an instruction
   */
  decode(bytes: Uint8Array, at: number): number;
  /** Whether the last instruction was a direct branch, conditional or not. */
  readonly branch: Branch;
  /** Offset in the bytes of the branch's target; valid only for a branch. */
  readonly target: number;
}

/** A direct branch, with its target as a GVA. */
export interface BranchAt {
  readonly kind: "call" | "jump";
  /** GVA of the target. */
  readonly target: bigint;
}

/** What may be wrong with an instruction in kernel text. */
export type TextFaultKind =
  /** The bytes are not an instruction. */
  | "none"
  /** The instruction extends into the next function. */
  | "runs over"
  /** A branch into the middle of an instruction. */
  | "amid instruction"
  /** A call into the middle of another function. */
  | "amid function"
  /** A branch to an address where there is no code. */
  | "nowhere";

/** An instruction that refers to an address outside its text. */
export interface WayOut {
  /** GVA of the instruction. */
  readonly from: bigint;
  readonly bytes: Uint8Array;
  /** GVA that it branches to or contains. */
  readonly target: bigint;
  /** The last: bytes that do if they are run, where no instruction begins. */
  readonly how: "calls" | "jumps to" | "holds the address of" | "may lead to";
}

/** A text that is searched for references to the outside. */
export interface ScannedText {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly bytes: Uint8Array;
  /**
   * Offset at which the function containing the byte at `at` begins: that of an
   * instruction.
   */
  functionStart(at: number): number;
}

/** An architecture's instruction set. */
export interface Instructions {
  /** Creates a decoder. */
  decoder(): Decoder;
  /**
   * Length in bytes of the longest instruction that {@linkcode branchAt}
   * recognizes.
   */
  readonly longestBranch: number;
  /**
   * The direct branch at the start of the bytes; `undefined` when they begin
   * with another instruction.
   *
   * @param gva the address of the bytes
   */
  branchAt(bytes: Uint8Array, gva: bigint): BranchAt | undefined;
  /**
   * Length of the no-op at the start of the bytes, if it is one that the kernel
   * puts in place of a branch; otherwise 0.
   */
  nopAt(bytes: Uint8Array): number;
  /** Whether the bytes begin with a breakpoint. */
  isBreakpoint(bytes: Uint8Array): boolean;
  /**
   * Length of what lies at the start of the bytes between functions or in place
   * of code: a byte of padding, or a no-op that aligns what follows it; 0 where
   * code begins. The no-op of a call site of Ftrace's belongs to its function.
   */
  fillerAt(bytes: Uint8Array): number;
  /** Whether a byte alone is an instruction that does nothing but trap. */
  isTrap(byte: number): boolean;
  /**
   * Whether a page holds nothing but thunks that the kernel does not list
   * anywhere.
   */
  isThunkPage(page: Uint8Array): boolean;
  /**
   * The instructions of a text whose branch distance or immediate leads to an
   * address in `executable` within the module region.
   */
  waysOut(text: ScannedText, executable: readonly MappedRange[]): WayOut[];
  /**
   * The addresses in a range that a text may hold as constants, in the text's
   * order: also bytes that only look like them.
   */
  heldAddresses(text: Uint8Array, range: GvaRange): bigint[];
  /**
   * Functions with unusual code, and the faults that are legitimate in them.
   */
  readonly unusual: readonly (readonly [
    name: RegExp,
    kinds: readonly TextFaultKind[],
  ])[];
}
