/**
 * Kernel symbols as the rest of the engine sees them; they come from kallsyms,
 * modules' tables or a System.map.
 *
 * GVAs of the kernel image and of modules all lie within 4 GiB (see
 * code_window.ts), so hot paths may look symbols up by the low 32 bits alone.
 *
 * @module
 */

/** The symbol at an address. */
export interface SymbolAt {
  readonly name: string;
  /** GVA of the symbol. */
  readonly address: bigint;
  /** Bytes from the symbol's start to the address asked for. */
  readonly offset: number;
  /**
   * Bytes to the next symbol, which is how kallsyms defines a symbol's size.
   */
  readonly size: number;
  /** Name of the module, or `undefined` for the kernel itself. */
  readonly module?: string;
}

/** All symbols of one kernel. */
export interface Symbols {
  /** Number of symbols of the kernel itself, without modules. */
  readonly count: number;
  /** GVA of the first symbol with that name. */
  tryAddress(name: string): bigint | undefined;
  /**
   * GVA of a symbol.
   *
   * @throws {KernelError} when there is no such symbol; the message suggests
   * similar names.
   */
  address(name: string): bigint;
  /** GVAs of all symbols with that name (names of static functions repeat). */
  addresses(name: string): bigint[];
  /** The symbol that covers a GVA, with the answer of kallsyms_lookup. */
  lookup(gva: bigint): SymbolAt | undefined;
  /**
   * The symbol for a GVA, given as two 32-bit halves, as the kernel's `%ps`
   * prints it (`name`, or `name [module]`); `0x...` where no symbol covers it.
   * Cached per address, for hot paths.
   */
  name(lo: number, hi: number): string;
  /** Names similar to `name`, the best first, at most `limit` (default 5). */
  near(name: string, limit?: number): string[];
  /** All names that match a glob (`vfs_*`), in address order. */
  glob(pattern: string): string[];
}
