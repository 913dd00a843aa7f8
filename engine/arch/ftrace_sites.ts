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
  /** The instruction there while Ftrace is not called. */
  readonly nop: Uint8Array;
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
