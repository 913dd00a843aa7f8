/**
 * Where an architecture's kernels patch their own text, and what they write
 * there.
 *
 * @module
 */

/** Layouts of kernel structures that patch tables depend on. */
export interface EntryLayouts {
  /**
   * Size of `struct NAME` in bytes; `undefined` when there is no such struct.
   */
  tryStruct(name: string): { readonly size: number } | undefined;
  /** Offset of a member, in bytes. */
  tryOffset(struct: string, member: string): number | undefined;
}

/** How the length of a patch site is determined. */
export type SiteLength =
  | number
  /** The length of the instruction there, but at least this many bytes. */
  | { readonly instruction: number }
  /** The byte at this offset in the table's entry. */
  | { readonly entryByte: number };

/** A table of patch sites. */
export interface PatchTable {
  /** Name of its section in a module's file and, usually, in an image. */
  readonly section: string;
  /** The symbols that enclose the table in an image without such a section. */
  readonly between?: readonly [start: string, stop: string];
  /** Size of an entry in bytes. */
  readonly entry: number;
  /**
   * How an entry of an image states the site: as a distance from the entry, or
   * as a GVA.
   */
  readonly place: "relative" | "absolute";
  /** Name of the mechanism that patches these sites. */
  readonly mechanism: string;
  readonly length: SiteLength;
}

/** A patch site identified by a symbol. */
export interface NamedSite {
  /** Glob over symbol names. */
  readonly symbols: string;
  readonly mechanism: string;
  /** Length in bytes. */
  readonly length: number;
}

/** What static calls look like. */
export interface StaticCallShape {
  readonly mechanism: string;
  /** Minimum length of a call, in bytes. */
  readonly bytes: number;
  /** Prefix of their trampolines' symbols. */
  readonly trampoline: string;
  readonly trampolineBytes: number;
}

/** What the kernel writes instead of a call of a certain function. */
export interface StandIn {
  /** The function's symbol. */
  readonly symbol: string;
  readonly bytes: readonly number[];
}

/** A relocation of a module's file as the module loader applies it. */
export interface AppliedRelocation {
  readonly bytes: 4 | 8;
  /** Whether the address of the relocated place is subtracted. */
  readonly relative: boolean;
}

/**
 * Calls that the kernel redirects to the padding in front of the called
 * function.
 */
export interface BentCalls {
  readonly mechanism: string;
  /**
   * The section that lists these calls, as 4-byte distances from each entry.
   */
  readonly table: string;
  /**
   * Whether two texts that differ at an offset differ in such a redirected
   * call.
   *
   * @param calls offsets of the calls that may be redirected
   */
  isBent(
    trusted: Uint8Array,
    own: Uint8Array,
    at: number,
    calls: ReadonlySet<number>,
  ): boolean;
}

/**
 * Mechanisms that code outside the architecture refers to. Each architecture
 * includes them in its own list, whether or not its kernels use them.
 */
export const COMMON_MECHANISMS = [
  "static calls",
  "jump labels",
  "Ftrace",
  "kprobes",
  "runtime constants",
] as const;

/** How an architecture's kernels patch text. */
export interface Patching {
  /**
   * The mechanisms that patch text, in the order used for output; the first
   * stands for none. Includes {@linkcode COMMON_MECHANISMS}.
   */
  readonly mechanisms: readonly string[];
  /** The patch tables of an image and of modules. */
  tables(layouts: EntryLayouts): readonly PatchTable[];
  readonly named: readonly NamedSite[];
  /** Calls that may be redirected; `undefined` when there are none. */
  readonly bentCalls: BentCalls | undefined;
  /**
   * Whether the bytes at a site can come from its mechanism, for mechanisms
   * with a short list of possible instructions; `true` for all others.
   *
   * @param bytes the text found, from the site's start, at most 8
   */
  isPlausible(mechanism: string, bytes: Uint8Array): boolean;
  /** Size in bytes of a constant in text that is set at boot, by its symbol. */
  runtimeConstant(symbol: string): number;
  /**
   * Length in bytes of a jump label's site, given that of the instruction there
   * now; 1 is the breakpoint that stands there during patching.
   */
  jumpLabel(instruction: number): number;
  readonly staticCalls: StaticCallShape;
  /**
   * Functions for which other instructions stand than a static call of them.
   */
  readonly standIns: readonly StandIn[];
  /** Whether the bytes are what stands for a static call to nothing. */
  isNoCall(bytes: Uint8Array): boolean;
  /**
   * How many bytes a probe may change: those of the jump of an optimised one.
   */
  readonly probeBytes: number;
  /** Whether the text begins with the jump of an optimised probe. */
  isProbeJump(bytes: Uint8Array): boolean;
  /**
   * How a relocation type is applied; `undefined` for types that are not
   * applied.
   */
  relocation(type: number): AppliedRelocation | undefined;
}
