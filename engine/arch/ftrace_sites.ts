/**
 * The call site of Ftrace within a function: the place where Ftrace is called,
 * or would be.
 *
 * @module
 */

/** A call site found in a function's first bytes. */
export interface FoundSite {
  /**
   * Bytes from the function's symbol to the address by which Ftrace knows it.
   */
  readonly offset: number;
  /** Whether the function calls Ftrace now. */
  readonly calls: boolean;
}

/**
 * Code of the kernel that is copied, and then changed at known places. All names
 * are those of symbols.
 */
export interface CopiedCode {
  readonly start: string;
  readonly end: string;
  /** Where the copy calls another function. */
  readonly call: string;
  readonly callBytes: number;
  /** Where the copy takes the object that it passes on. */
  readonly object: string;
  readonly objectBytes: number;
  /** Other places where the copy may hold anything, and their lengths. */
  readonly free: readonly (readonly [name: string, length: number])[];
  /**
   * The object, or the GVA of the word that holds it; `undefined` when the
   * instruction is another.
   *
   * @param gva GVA of the instruction
   */
  objectOf(
    instruction: Uint8Array,
    gva: bigint,
  ): { readonly value: bigint } | { readonly at: bigint } | undefined;
}

/** How functions call Ftrace on an architecture. */
export interface FtraceSites {
  /** How many of a function's first bytes to examine. */
  readonly lookAt: number;
  /**
   * Finds the call site in a function's first bytes; `undefined` when the
   * function cannot be traced.
   */
  find(bytes: Uint8Array): FoundSite | undefined;
  /**
   * Possible distances from a function's symbol to the address by which Ftrace
   * knows it, ascending, including 0. A recorded address is a symbol plus one
   * of these.
   */
  readonly offsets: readonly number[];
  /** Size of the patched instruction, in bytes. */
  readonly size: number;
  /**
   * What may be there while Ftrace is not called; which of them depends on the
   * kernel and the processor.
   */
  readonly nops: readonly Uint8Array[];
  /** What the trampolines of single `ftrace_ops` are copied from. */
  readonly trampolines: readonly CopiedCode[];
  /** What the detours of optimised kprobes are copied from. */
  readonly detour: CopiedCode | undefined;
}

/**
 * The function's name for an address recorded by Ftrace: `vfs_read [m]` for
 * `vfs_read+0x4 [m]`, if call sites on this architecture may lie at that
 * offset.
 */
export function withoutOffset(sites: FtraceSites, name: string): string {
  const offset = /\+0x([0-9a-f]+)(?= \[|$)/.exec(name);
  return offset !== null && sites.offsets.includes(parseInt(offset[1], 16))
    ? name.replace(offset[0], "")
    : name;
}
