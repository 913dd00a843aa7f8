/**
 * The symbols in a trusted kernel image, which holds the same kallsyms tables
 * as a guest that runs it.
 *
 * @module
 */
import { GuestGoneError, KernelError, MemoryError } from "../../base/errors.ts";
import { Kernel } from "../../kernel/core/kernel.ts";
import {
  findKallsyms,
  type FoundImage,
} from "../../kernel/locate/kallsyms_scan.ts";
import { LiveSymbols } from "../../kernel/symbols/live_symbols.ts";
import { nameAt, type SymbolBlob } from "../../kernel/symbols/symbol_blob.ts";
import { SymbolTable } from "../../kernel/symbols/symbol_table.ts";
import { SectionMemory } from "./section_memory.ts";
import type { Vmlinux } from "./vmlinux.ts";

const known = new WeakMap<Vmlinux, FoundImage | undefined>();

/**
 * The image's own symbols; `undefined` when it has none that are understood.
 * Takes some 100 ms the first time.
 */
export function imageSymbols(image: Vmlinux): FoundImage | undefined {
  if (!known.has(image)) known.set(image, findIn(image));
  return known.get(image);
}

function findIn(image: Vmlinux): FoundImage | undefined {
  try {
    const found = findKallsyms(new SectionMemory(image.source, image.sections));
    return found.length === 1 ? found[0] : undefined;
  } catch (error) {
    if (error instanceof KernelError || error instanceof MemoryError) {
      return undefined;
    }
    throw error;
  }
}

/**
 * The kernel with the names of a trusted image in place of those that the guest
 * states; the kernel as it is when the image is another kernel's, or has no
 * symbols.
 *
 * @throws {KernelError | MemoryError} when its modules cannot be read.
 */
export function withImageSymbols(kernel: Kernel, image: Vmlinux): Kernel {
  const { arch, space, types, facts, origin } = kernel;
  if (isAnother(kernel, image)) return kernel;
  const found = imageSymbols(image);
  const symbols = found === undefined ? undefined : placed(kernel, found.blob);
  if (symbols === undefined) return kernel;
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    types,
  );
  live.refresh();
  return new Kernel(arch, space, symbols, types, live, facts, origin);
}

/**
 * Symbols at the place where the kernel's banner is, by what the guest says of
 * that place; `undefined` when they fit none.
 */
function placed(
  { facts, space, symbols, arch }: Kernel,
  blob: SymbolBlob,
): SymbolTable | undefined {
  const places = [
    arch.image.linkText + facts.kaslrOffset,
    symbols.tryAddress("_text"),
    symbols.tryAddress("_stext"),
  ];
  for (const text of places) {
    if (text === undefined) continue;
    const table = new SymbolTable(blob, text);
    const banner = table.tryImageAddress("linux_banner");
    if (banner === undefined) continue;
    try {
      if (space.string(banner, 512).trimEnd() === facts.banner) return table;
    } catch (error) {
      // Nothing is mapped there, or a recording lacks it.
      if (!(error instanceof MemoryError)) throw error;
      if (error instanceof GuestGoneError) throw error;
    }
  }
  return undefined;
}

/** Whether the image says that it is another kernel than the guest does. */
export function isAnother({ facts }: Kernel, { buildId }: Vmlinux): boolean {
  return facts.buildId !== undefined && buildId !== undefined &&
    facts.buildId !== buildId;
}

/** A symbol of which two tables say different things. */
export interface OtherSymbol {
  readonly index: number;
  /** Bytes from `_text`; the value of an absolute symbol. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/**
 * Where a guest's symbols differ from trusted ones, in order, at most `limit`.
 * If there are more or fewer of them, only that is told.
 */
export function otherSymbols(
  trusted: SymbolBlob,
  own: SymbolBlob,
  limit: number,
): OtherSymbol[] {
  if (trusted.count !== own.count) {
    const expected = `${trusted.count} symbols`;
    return [{ index: 0, offset: 0, expected, found: `${own.count} symbols` }];
  }
  const differences: OtherSymbol[] = [];
  const text = (blob: SymbolBlob, i: number) =>
    `${nameAt(blob, i)} (${String.fromCharCode(blob.types[i])}) at 0x${
      blob.offsets[i].toString(16)
    }`;
  for (let i = 0; i < own.count && differences.length < limit; i++) {
    if (sameSymbol(trusted, own, i)) continue;
    differences.push({
      index: i,
      offset: trusted.offsets[i],
      expected: text(trusted, i),
      found: text(own, i),
    });
  }
  return differences;
}

function sameSymbol(a: SymbolBlob, b: SymbolBlob, i: number): boolean {
  const [from, to] = [a.starts[i], b.starts[i]];
  const length = a.starts[i + 1] - from;
  if (
    a.types[i] !== b.types[i] || a.offsets[i] !== b.offsets[i] ||
    b.starts[i + 1] - to !== length
  ) return false;
  for (let k = 0; k < length; k++) {
    if (a.names[from + k] !== b.names[to + k]) return false;
  }
  return true;
}
