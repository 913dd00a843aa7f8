/**
 * Kernel symbols as the rest of the engine sees them: kallsyms, modules'
 * tables or a System.map stand behind it.
 *
 * GVAs of the kernel image and of modules all lie within 4 GiB (see
 * code_window.ts), so hot paths may look symbols up by the low 32 bits alone.
 *
 * @module
 */

/** What lies at an address. */
export interface SymbolAt {
  readonly name: string;
  /** GVA of the symbol. */
  readonly address: bigint;
  /** Bytes from the symbol's start to the address asked for. */
  readonly offset: number;
  /** Bytes to the next symbol (as kallsyms counts a symbol's size). */
  readonly size: number;
  /** Name of the module, or `undefined` for the kernel itself. */
  readonly module?: string;
}

/** All symbols of one kernel. */
export interface Symbols {
  /** How many symbols the kernel itself has (modules not counted). */
  readonly count: number;
  /** GVA of the first symbol of that name. */
  tryAddress(name: string): bigint | undefined;
  /**
   * GVA of a symbol.
   *
   * @throws {KernelError} when there is none, with near matches.
   */
  address(name: string): bigint;
  /** GVAs of all symbols of that name (static functions repeat). */
  addresses(name: string): bigint[];
  /** The symbol that covers a GVA, as kallsyms_lookup would answer. */
  lookup(gva: bigint): SymbolAt | undefined;
  /**
   * The symbol for a GVA as the kernel's `%ps` prints it (`name`, or
   * `name [module]`), by its two 32-bit halves; `0x...` in hex where no symbol
   * covers it. Cached per address: for hot paths.
   */
  name(lo: number, hi: number): string;
  /** Names that resemble `name`, best first, at most `limit` (default 5). */
  near(name: string, limit?: number): string[];
  /** All names matching a glob (`vfs_*`), in address order. */
  glob(pattern: string): string[];
}
