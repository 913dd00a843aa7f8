/**
 * Symbols from a System.map file (or a saved /proc/kallsyms), for kernels
 * whose own kallsyms is absent or holds functions only.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { KernelError } from "../../base/errors.ts";
import { buildBlob, nameTable, type SymbolBlob } from "./symbol_blob.ts";

/** `address type name`, and `[module]` in a saved /proc/kallsyms. */
const LINE = /^([0-9a-f]{8,16}) ([A-Za-z?]) (\S+)(?:\s+\[(.+)\])?$/;
/** What distributions ship in place of the real file. */
const STUB = /The real System\.map is in the (\S+) package/;
/** Names that scripts/mksysmap leaves out, should a file have them. */
const IGNORED = /^(\$|\.L|__crc_|__kstrtab_|__kstrtabns_|__kcfi_typeid_)/;
/** High half of all addresses in the image. */
const IMAGE_HIGH = 0xffffffff;
/** Values from here on are addresses in the image, below it absolute. */
const IMAGE_LOW = 0x80000000;

/** A symbol; `low` is its value, or the low half of its address. */
interface Entry {
  readonly low: number;
  readonly type: string;
  readonly name: string;
}

/**
 * The symbols of a System.map file.
 *
 * @throws {KernelError} when it cannot be read or is none.
 */
export function readSystemMap(path: string): SymbolBlob {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new KernelError(`System.map ${path} cannot be read: ${why}`, {
      cause: error,
    });
  }
  return parseSystemMap(text, path);
}

/**
 * The symbols in the text of a System.map. Lines of modules are left out:
 * modules lie elsewhere at each boot.
 *
 * @param source The file's name, for messages.
 * @throws {KernelError} when the text is a distribution's stub, holds no
 * addresses, or is no System.map.
 */
export function parseSystemMap(text: string, source: string): SymbolBlob {
  const stub = STUB.exec(text.slice(0, 4096));
  if (stub !== null) {
    throw new KernelError(
      `${source} is only a stub: the real System.map is in the package ${
        stub[1]
      }; install that (or copy the file from it) and name it with --system-map`,
    );
  }
  const entries: Entry[] = [];
  let line = 0;
  for (const row of text.split("\n")) {
    line++;
    if (row === "") continue;
    const [, digits, type, name, module] = LINE.exec(row) ?? [];
    if (name === undefined) {
      throw new KernelError(
        `${source}, line ${line}: not a System.map line ("address type name"): ${
          JSON.stringify(row.slice(0, 60))
        }`,
      );
    }
    if (module !== undefined || IGNORED.test(name)) continue;
    if (type === "N" || type === "U") continue;
    const low = parseInt(digits.slice(-8), 16);
    const high = digits.length > 8 ? parseInt(digits.slice(0, -8), 16) : 0;
    // Neither in the image nor an absolute symbol that kallsyms could hold.
    if (high !== (low < IMAGE_LOW ? 0 : IMAGE_HIGH)) continue;
    entries.push({ low, type, name });
  }
  if (entries.length === 0) {
    throw new KernelError(`${source} holds no symbols`);
  }
  if (entries.every(({ low }) => low === 0)) {
    throw new KernelError(
      `${source}: all addresses are 0; a copy of /proc/kallsyms must be made as root with kernel.kptr_restrict below 2`,
    );
  }
  entries.sort(compare);
  const encoder = new TextEncoder();
  const { types, names, starts } = nameTable(
    entries.map(({ name }) => encoder.encode(name)),
    Uint8Array.from(entries, ({ type }) => type.charCodeAt(0)),
  );
  let absolute = 0;
  while (
    absolute < entries.length && entries[absolute].low < IMAGE_LOW
  ) absolute++;
  const low = Uint32Array.from(entries, (entry) => entry.low);
  return buildBlob(source, low, absolute, types, names, starts).blob;
}

/**
 * The order of kallsyms (compare_symbols in scripts/kallsyms.c): of several
 * symbols at one address the kernel names the first. The file's order, which
 * a stable sort keeps, decides the rest.
 */
function compare(a: Entry, b: Entry): number {
  if (a.low !== b.low) return a.low - b.low;
  return Number(isWeak(a)) - Number(isWeak(b)) ||
    Number(isProvided(a)) - Number(isProvided(b)) ||
    underscores(a) - underscores(b);
}

function isWeak({ type }: Entry): boolean {
  return type === "w" || type === "W";
}

/** Whether the linker may have made the symbol: those come last. */
function isProvided({ name }: Entry): boolean {
  return name.length >= 8 && name.startsWith("__") &&
    /^__(start_|stop_|end_)|_(start|end)$/.test(name);
}

function underscores({ name }: Entry): number {
  return name.length - name.replace(/^_+/, "").length;
}
