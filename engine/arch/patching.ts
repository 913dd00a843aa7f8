/**
 * Where an architecture's kernels change their own text, and what they write
 * there.
 *
 * @module
 */

/** Layouts of the kernel's structures, as far as tables are made of them. */
export interface EntryLayouts {
  /** `struct NAME`, its size in bytes; `undefined` when there is none. */
  tryStruct(name: string): { readonly size: number } | undefined;
  /** Offset of a member in bytes. */
  tryOffset(struct: string, member: string): number | undefined;
}

/** How many bytes a patch site takes. */
export type SiteLength =
  | number
  /** Those of the instruction there, but at least so many. */
  | { readonly instruction: number }
  /** The byte at this offset of the table's entry. */
  | { readonly entryByte: number };

/** A table of places in text. */
export interface PatchTable {
  /** Name of its section in a module's file and, mostly, in an image. */
  readonly section: string;
  /**
   * Symbols between which it lies in an image that has no such section any
   * more.
   */
  readonly between?: readonly [start: string, stop: string];
  /** Bytes of an entry. */
  readonly entry: number;
  /** What an entry of an image begins with: a distance from itself, or a GVA. */
  readonly place: "relative" | "absolute";
  /** What changes the text there. */
  readonly mechanism: string;
  readonly length: SiteLength;
}

/** A place that is known by a symbol. */
export interface NamedSite {
  /** Glob over symbols. */
  readonly symbols: string;
  readonly mechanism: string;
  /** In bytes. */
  readonly length: number;
}

/** What static calls look like. */
export interface StaticCallShape {
  readonly mechanism: string;
  /** Fewest bytes of a call. */
  readonly bytes: number;
  /** What the symbols of their trampolines begin with. */
  readonly trampoline: string;
  readonly trampolineBytes: number;
}

/** One relocation of a module's file, as the loader applies it. */
export interface AppliedRelocation {
  readonly bytes: 4 | 8;
  /** Whether the place's own address is subtracted. */
  readonly relative: boolean;
}

/** Calls that are bent to the padding in front of the function they call. */
export interface BentCalls {
  readonly mechanism: string;
  /** Section that lists them: distances, from themselves, of 4 bytes. */
  readonly table: string;
  /**
   * Whether a difference at an offset of two texts lies in such a call.
   *
   * @param calls offsets of the calls to which it may happen
   */
  isBent(
    trusted: Uint8Array,
    own: Uint8Array,
    at: number,
    calls: ReadonlySet<number>,
  ): boolean;
}

/**
 * Mechanisms that are known beyond the architecture: each has them among its
 * own, whether its kernels use them or not.
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
   * What changes text, in the order in which it is told; the first stands for
   * none. {@linkcode COMMON_MECHANISMS} are among them.
   */
  readonly mechanisms: readonly string[];
  /** Tables of an image and of modules. */
  tables(layouts: EntryLayouts): readonly PatchTable[];
  readonly named: readonly NamedSite[];
  /** Calls that may be bent; `undefined`: there are none. */
  readonly bentCalls: BentCalls | undefined;
  /**
   * Whether what stands at a site is something that its mechanism writes,
   * where that is a short list; `true` for the others.
   *
   * @param bytes the text found, from the site's start, at most 8
   */
  isPlausible(mechanism: string, bytes: Uint8Array): boolean;
  /** Bytes of a constant in text that is known at boot only, by its symbol. */
  runtimeConstant(symbol: string): number;
  /** Bytes of a jump label whose instruction is this long; 1: a breakpoint. */
  jumpLabel(instruction: number): number;
  readonly staticCalls: StaticCallShape;
  /** Whether bytes stand for no static call at all. */
  isNoCall(bytes: Uint8Array): boolean;
  /** Bytes that a probe may change, which an optimised one's jump takes. */
  readonly probeBytes: number;
  /** Whether text begins with the jump of an optimised probe. */
  isProbeJump(bytes: Uint8Array): boolean;
  /** How a relocation is applied; `undefined` for those that are not. */
  relocation(type: number): AppliedRelocation | undefined;
}
