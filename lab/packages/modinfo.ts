/**
 * Reads what a module file says of itself: its dependencies and aliases.
 *
 * @module
 */

/** What the lab needs to know of a kernel module file. */
export interface ModInfo {
  /** Names of the modules it needs loaded before it, spelt with "_". */
  readonly depends: readonly string[];
  /** Other names under which the kernel may ask for it. */
  readonly aliases: readonly string[];
}

/** Reads the .modinfo section of an (uncompressed) module. */
export function modInfo(elf: Uint8Array): ModInfo {
  const text = new TextDecoder("latin1").decode(section(elf, ".modinfo"));
  const values = (key: string) =>
    text.split("\0").filter((item) => item.startsWith(`${key}=`))
      .map((item) => item.slice(key.length + 1));
  return {
    depends: values("depends").flatMap((list) => list.split(","))
      .filter((name) => name !== "").map(moduleName),
    aliases: values("alias"),
  };
}

/** The kernel takes "-" and "_" in a module's name for the same. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** The bytes of a named section of a 64-bit little-endian ELF file. */
function section(elf: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < 64 || view.getUint32(0) !== 0x7f454c46) {
    return new Uint8Array();
  }
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
