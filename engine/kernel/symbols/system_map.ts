/**
 * Symbols from a System.map file (or a saved /proc/kallsyms), for kernels whose
 * own kallsyms is absent or holds functions only.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { XftraceError } from "../../base/errors.ts";
import { readHostText } from "../../base/host_file/read.ts";
import { CodeWindow } from "./code_window.ts";
import { buildBlob, nameTable, type SymbolBlob } from "./symbol_blob.ts";

/** `address type name`, and `[module]` in a saved /proc/kallsyms. */
const LINE = /^([0-9a-f]{8,16}) ([A-Za-z?]) (\S+)(?:\s+\[(.+)\])?$/;
/** The stub that distributions ship in place of the real file. */
const STUB = /The real System\.map is in the (\S+) package/;
/** Names that scripts/mksysmap excludes, in case a file has them. */
const IGNORED = /^(\$|\.L|__crc_|__kstrtab_|__kstrtabns_|__kcfi_typeid_)/;
/** The most bytes of a file; those of distributions have some 10 MB. */
const MOST_BYTES = 64 << 20;
/** The most symbols; those of distributions have some 200,000. */
const MOST_SYMBOLS = 1_000_000;
/** How much of the file's start is searched for the stub's text. */
const STUB_BYTES = 4096;
/**
 * Smaller values are not addresses, but values of absolute symbols, which
 * kallsyms may hold.
 */
const ABSOLUTE = 0x80000000;

/** A symbol with the two halves of its address or value. */
interface Line {
  readonly low: number;
  readonly high: number;
  readonly type: string;
  readonly name: string;
}

/** A symbol; `low` is its value or its place in the code window. */
interface Entry {
  readonly low: number;
  readonly absolute: boolean;
  readonly type: string;
  readonly name: string;
}

/**
 * Reads the symbols in a System.map file.
 *
 * @throws {KernelError} when the file cannot be read or is not a System.map.
 */
export function readSystemMap(path: string): SymbolBlob {
  let text: string;
  try {
    text = readHostText(path, { limit: MOST_BYTES });
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    throw new KernelError(`System.map: ${error.message}`, { cause: error });
  }
  return parseSystemMap(text, path);
}

/**
 * The symbols in the text of a System.map. Lines of modules are left out, since
 * modules are loaded elsewhere at each boot.
 *
 * @param source Name of the file, for messages.
 * @throws {KernelError} when the text is a distribution's stub, holds no
 * addresses, or is not a System.map.
 */
export function parseSystemMap(text: string, source: string): SymbolBlob {
  const stub = STUB.exec(text.slice(0, STUB_BYTES));
  if (stub !== null) {
    throw new KernelError(
      `${source} is only a stub: the real System.map is in the package ${
        stub[1]
      }; install that (or copy the file from it) and name it with --system-map`,
    );
  }
  const lines: Line[] = [];
  let line = 0;
  for (const row of rowsOf(text)) {
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
    if (lines.length === MOST_SYMBOLS) {
      throw new KernelError(
        `${source} holds more than ${MOST_SYMBOLS} symbols`,
      );
    }
    lines.push({ low, high, type, name });
  }
  if (lines.length === 0) {
    throw new KernelError(`${source} holds no symbols`);
  }
  if (lines.every(({ low, high }) => low === 0 && high === 0)) {
    throw new KernelError(
      `${source}: all addresses are 0; a copy of /proc/kallsyms must be made as root with kernel.kptr_restrict below 2`,
    );
  }
  const entries = placed(lines).sort(compare);
  const encoder = new TextEncoder();
  const { types, names, starts } = nameTable(
    entries.map(({ name }) => encoder.encode(name)),
    Uint8Array.from(entries, ({ type }) => type.charCodeAt(0)),
  );
  const absolute = entries.findIndex((entry) => !entry.absolute);
  const low = Uint32Array.from(entries, (entry) => entry.low);
  return buildBlob(
    source,
    low,
    absolute < 0 ? entries.length : absolute,
    types,
    names,
    starts,
  ).blob;
}

/** The lines of a text, one at a time: it may be nothing but line ends. */
function* rowsOf(text: string): Generator<string> {
  for (let at = 0; at <= text.length;) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end < 0 ? undefined : end);
    if (end < 0) return;
    at = end + 1;
  }
}

/** Selects the symbols in the code window and the absolute ones. */
function placed(lines: readonly Line[]): Entry[] {
  const text = lines.find(({ name }) => name === "_stext") ?? lines[0];
  const window = new CodeWindow(BigInt(text.high) << 32n | BigInt(text.low));
  return lines.flatMap(({ low, high, type, name }): Entry[] =>
    window.has(low, high)
      ? [{ low: window.offset(low), absolute: false, type, name }]
      : high === 0 && low < ABSOLUTE
      ? [{ low, absolute: true, type, name }]
      : []
  );
}

/**
 * The order of kallsyms (compare_symbols in scripts/kallsyms.c): of several
 * symbols at one address, the kernel names the first. Otherwise the order in
 * the file is kept by the stable sort.
 */
function compare(a: Entry, b: Entry): number {
  if (a.absolute !== b.absolute) return a.absolute ? -1 : 1;
  if (a.low !== b.low) return a.low - b.low;
  return Number(isWeak(a)) - Number(isWeak(b)) ||
    Number(isProvided(a)) - Number(isProvided(b)) ||
    underscores(a) - underscores(b);
}

function isWeak({ type }: Entry): boolean {
  return type === "w" || type === "W";
}

/**
 * Whether the symbol may have been provided by the linker script: those come
 * last.
 */
function isProvided({ name }: Entry): boolean {
  return name.length >= 8 && name.startsWith("__") &&
    /^__(start_|stop_|end_)|_(start|end)$/.test(name);
}

function underscores({ name }: Entry): number {
  return name.length - name.replace(/^_+/, "").length;
}
