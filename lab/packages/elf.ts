/**
 * Reads ELF files: their sections, their interpreter and the libraries that
 * they need.
 *
 * @module
 */

const PT_INTERP = 3;
const DT_NEEDED = 1n;

/** Whether a file is a 64-bit ELF file. */
export function isElf(bytes: Uint8Array): boolean {
  return viewOf(bytes) !== undefined;
}

function viewOf(elf: Uint8Array): DataView | undefined {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  return elf.length < 64 || view.getUint32(0) !== 0x7f454c46 ? undefined : view;
}

/** The bytes of a named section of a 64-bit little-endian ELF file. */
export function section(elf: Uint8Array, wanted: string): Uint8Array {
  const view = viewOf(elf);
  if (view === undefined) return new Uint8Array();
  const table = Number(view.getBigUint64(40, true));
  const entrySize = view.getUint16(58, true);
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  const at = (index: number) => {
    const header = table + index * entrySize;
    const offset = Number(view.getBigUint64(header + 24, true));
    const size = Number(view.getBigUint64(header + 32, true));
    return {
      name: view.getUint32(header, true),
      bytes: elf.subarray(offset, offset + size),
    };
  };
  const strings = new TextDecoder("latin1").decode(at(names).bytes);
  for (let i = 0; i < count; i++) {
    const { name, bytes } = at(i);
    if (strings.slice(name, strings.indexOf("\0", name)) === wanted) {
      return bytes;
    }
  }
  return new Uint8Array();
}

/**
 * The path of the program that loads this one; `undefined` for a static
 * program, and if this is not an ELF file.
 */
export function interpreterOf(elf: Uint8Array): string | undefined {
  const view = viewOf(elf);
  if (view === undefined) return undefined;
  const start = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let i = 0; i < count; i++) {
    const header = start + i * size;
    if (view.getUint32(header, true) !== PT_INTERP) continue;
    const at = Number(view.getBigUint64(header + 8, true));
    const length = Number(view.getBigUint64(header + 32, true));
    return new TextDecoder("latin1").decode(elf.subarray(at, at + length))
      .replace(/\0.*$/, "");
  }
  return undefined;
}

/** Names of the libraries that a program or library needs: `libc.so.6`. */
export function neededBy(elf: Uint8Array): string[] {
  const dynamic = section(elf, ".dynamic");
  const strings = new TextDecoder("latin1").decode(section(elf, ".dynstr"));
  const view = new DataView(
    dynamic.buffer,
    dynamic.byteOffset,
    dynamic.byteLength,
  );
  const names: string[] = [];
  for (let at = 0; at + 16 <= dynamic.length; at += 16) {
    if (view.getBigUint64(at, true) !== DT_NEEDED) continue;
    const name = Number(view.getBigUint64(at + 8, true));
    names.push(strings.slice(name, strings.indexOf("\0", name)));
  }
  return names;
}
