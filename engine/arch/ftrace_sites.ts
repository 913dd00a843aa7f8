/**
 * What Ftrace has put into functions: the place at which it is called, or
 * would be.
 *
 * @module
 */

/** The place within a function's first bytes. */
export interface FoundSite {
  /** Bytes from the function's symbol; Ftrace's address of it lies there. */
  readonly offset: number;
  /** Whether the function calls Ftrace now. */
  readonly calls: boolean;
}

/** How an architecture's functions call Ftrace. */
export interface FtraceSites {
  /** Bytes of a function to look at. */
  readonly lookAt: number;
  /**
   * Finds the place in a function's first bytes; `undefined` when the function
   * cannot be traced.
   */
  find(bytes: Uint8Array): FoundSite | undefined;
  /**
   * Distances from a function's symbol at which Ftrace may know it, ascending,
   * 0 among them: recorded functions are one of these behind their symbol.
   */
  readonly offsets: readonly number[];
  /** Bytes that are patched at a site. */
  readonly size: number;
  /** What stands there while Ftrace is not called. */
  readonly nop: Uint8Array;
}

/**
 * The function that Ftrace means by an address: `vfs_read [m]` for its name
 * `vfs_read+0x4 [m]`, where functions have their place so far behind their
 * start.
 */
export function withoutOffset(sites: FtraceSites, name: string): string {
  const offset = /\+0x([0-9a-f]+)(?= \[|$)/.exec(name);
  return offset !== null && sites.offsets.includes(parseInt(offset[1], 16))
    ? name.replace(offset[0], "")
    : name;
}
