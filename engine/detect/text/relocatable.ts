/**
 * A module's file (`.ko`): its sections, and the relocations that the loader
 * applies.
 *
 * Source: the ELF-64 object file format.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { elfSections, elfText, gnuBuildId } from "./elf_sections.ts";

const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
/** More symbols, or relocations of what is loaded, than a module has. */
const MOST_ENTRIES = 1 << 21;

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
  const bad = (what: string) =>
    new XftraceError(`${source} is no module of a kernel: it ${what}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = file.length > 64 && view.getUint32(0, false) === 0x7f454c46;
  if (!magic || view.getUint16(16, true) !== 1) {
    throw bad("is no relocatable ELF file");
  }
  try {
    return parse(source, file, view, bad);
  } catch (error) {
    // Some offsets lead out of the file.
    if (!(error instanceof RangeError)) throw error;
    throw bad("is damaged or cut short");
  }
}

function parse(
  source: string,
  file: Uint8Array,
  view: DataView,
  bad: (what: string) => XftraceError,
): Relocatable {
  const headers = elfSections(file, bad).sections;
  const sections = headers.map((header): ObjectSection => ({
    name: header.name,
    bytes: header.bytes,
    size: header.size,
    align: Math.max(1, header.align),
    alloc: (header.flags & SHF_ALLOC) !== 0,
    executable: (header.flags & SHF_EXECINSTR) !== 0,
  }));
  const symtab = headers.find(({ type }) => type === SHT_SYMTAB);
  const symbols: ObjectSymbol[] = [];
  if (symtab !== undefined) {
    const strings = headers[symtab.link]?.offset ?? 0;
    bounded(symtab.bytes.length / 24);
    for (let i = 0; i < Math.floor(symtab.bytes.length / 24); i++) {
      const at = symtab.offset + 24 * i;
      symbols.push({
        name: elfText(file, strings + view.getUint32(at, true)),
        section: view.getUint16(at + 6, true),
        value: Number(view.getBigUint64(at + 8, true)),
      });
    }
  }
  const relocations = new Map<number, Relocation[]>();
  let all = 0;
  for (const header of headers) {
    // Those of debugging information can be many more than the others.
    const loaded = sections[header.info]?.alloc === true;
    if (header.type !== SHT_RELA || !loaded) continue;
    bounded(all += header.size / 24);
    const list: Relocation[] = [];
    for (let i = 0; i < Math.floor(header.bytes.length / 24); i++) {
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

/** Refuses more entries of a table than a module has. */
function bounded(entries: number): void {
  if (entries > MOST_ENTRIES) throw new RangeError("too many entries");
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
  return note && gnuBuildId(note.bytes);
}
