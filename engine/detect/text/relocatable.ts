/**
 * A module's file (`.ko`): its sections, and the relocations that the loader
 * applies.
 *
 * Source: the ELF-64 object file format.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { hexDigits } from "../../base/hex.ts";

const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_NOBITS = 8;

/** A section of the file. */
export interface ObjectSection {
  readonly name: string;
  /** Its content; empty for memory that starts as zeros. */
  readonly bytes: Uint8Array;
  /** Size in memory, in bytes. */
  readonly size: number;
  readonly align: number;
  /** Whether it is loaded into memory. */
  readonly alloc: boolean;
  readonly executable: boolean;
}

/** A symbol of the file. */
export interface ObjectSymbol {
  readonly name: string;
  /** Index of its section; 0 when it is defined elsewhere. */
  readonly section: number;
  readonly value: number;
}

/** One place that the loader changes. */
export interface Relocation {
  /** Offset in its section. */
  readonly at: number;
  /** `ELF64_R_TYPE`; its meaning depends on the architecture. */
  readonly type: number;
  readonly symbol: ObjectSymbol;
  readonly addend: bigint;
}

/** A parsed `.ko` file. */
export interface Relocatable {
  /** Its origin, for messages. */
  readonly source: string;
  /** Whether the guest may have loaded another build; default: no. */
  readonly mayDiffer?: boolean;
  /** Sections in the numbering of the file; the first one is empty. */
  readonly sections: readonly ObjectSection[];
  readonly symbols: readonly ObjectSymbol[];
  /** Relocations, by the number of the section to which they apply. */
  readonly relocations: ReadonlyMap<number, readonly Relocation[]>;
}

/**
 * Parses a `.ko` file.
 *
 * @throws {XftraceError} when the file is not a `.ko`.
 *
 * @example
 * ```ts ignore
 * import { readRelocatable } from "xftrace/detect";
 *
 * const module = readRelocatable("ext4.ko", Deno.readFileSync("ext4.ko"));
 * console.log(module.sections.length, module.symbols.length);
 * ```
 */
export function readRelocatable(
  source: string,
  file: Uint8Array,
): Relocatable {
  const bad = (why: string) =>
    new XftraceError(`${source} is no module of a kernel: ${why}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = file.length > 64 && view.getUint32(0, false) === 0x7f454c46;
  if (!magic || view.getUint16(16, true) !== 1) {
    throw bad("it is no relocatable ELF file");
  }
  try {
    return parse(source, file, view);
  } catch (error) {
    // Some offsets lead out of the file.
    if (!(error instanceof RangeError)) throw error;
    throw bad("it is damaged or cut short");
  }
}

function parse(
  source: string,
  file: Uint8Array,
  view: DataView,
): Relocatable {
  const table = Number(view.getBigUint64(0x28, true));
  const step = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const headers = Array.from({ length: count }, (_, i) => {
    const at = table + i * step;
    const u64 = (offset: number) =>
      Number(view.getBigUint64(at + offset, true));
    return {
      nameAt: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      flags: u64(8),
      offset: u64(0x18),
      size: u64(0x20),
      link: view.getUint32(at + 0x28, true),
      info: view.getUint32(at + 0x2c, true),
      align: u64(0x30),
    };
  });
  const text = (at: number) => {
    let end = at;
    while (end < file.length && file[end] !== 0) end++;
    return new TextDecoder().decode(file.subarray(at, end));
  };
  const names = headers[view.getUint16(0x3e, true)]?.offset ?? 0;
  const sections = headers.map((header): ObjectSection => ({
    name: text(names + header.nameAt),
    bytes: header.type === SHT_NOBITS
      ? new Uint8Array()
      : file.subarray(header.offset, header.offset + header.size),
    size: header.size,
    align: Math.max(1, header.align),
    alloc: (header.flags & SHF_ALLOC) !== 0,
    executable: (header.flags & SHF_EXECINSTR) !== 0,
  }));
  const symtab = headers.find(({ type }) => type === SHT_SYMTAB);
  const symbols: ObjectSymbol[] = [];
  if (symtab !== undefined) {
    const strings = headers[symtab.link]?.offset ?? 0;
    for (let i = 0; i < symtab.size / 24; i++) {
      const at = symtab.offset + 24 * i;
      symbols.push({
        name: text(strings + view.getUint32(at, true)),
        section: view.getUint16(at + 6, true),
        value: Number(view.getBigUint64(at + 8, true)),
      });
    }
  }
  const relocations = new Map<number, Relocation[]>();
  for (const header of headers) {
    if (header.type !== SHT_RELA) continue;
    const list: Relocation[] = [];
    for (let i = 0; i < header.size / 24; i++) {
      const at = header.offset + 24 * i;
      const symbol = symbols[view.getUint32(at + 12, true)];
      if (symbol === undefined) throw new RangeError();
      list.push({
        at: Number(view.getBigUint64(at, true)),
        type: view.getUint32(at + 8, true),
        symbol,
        addend: view.getBigInt64(at + 16, true),
      });
    }
    relocations.set(header.info, list);
  }
  return { source, sections, symbols, relocations };
}

/**
 * Where the loader puts the permanent code: offsets from the start of the
 * module's text, by section number. Executable sections come first, in file
 * order (layout_sections in kernel/module/main.c); init sections have been
 * freed by the time a module is live.
 */
export function textLayout(
  { sections }: Relocatable,
): { offsets: ReadonlyMap<number, number>; size: number } {
  const offsets = new Map<number, number>();
  let size = 0;
  sections.forEach(({ name, alloc, executable, align, size: bytes }, i) => {
    if (!alloc || !executable || name.startsWith(".init")) return;
    size = Math.ceil(size / align) * align;
    offsets.set(i, size);
    size += bytes;
  });
  return { offsets, size };
}

/** The BUILD-ID in hex; `undefined` if the file has none. */
export function buildIdOf({ sections }: Relocatable): string | undefined {
  const note = sections.find(({ name }) => name === ".note.gnu.build-id");
  // A header of 12 bytes and "GNU\0", then the id.
  return note === undefined || note.bytes.length < 36
    ? undefined
    : hexDigits(note.bytes.subarray(16, 36));
}
