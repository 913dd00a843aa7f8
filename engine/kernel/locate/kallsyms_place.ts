/**
 * Finds the GPA and the GVA of a kernel image whose symbols are known. Each
 * candidate is checked against the image's bytes.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import type { Arch } from "../../arch/arch.ts";
import { MemoryError } from "../../base/errors.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { findName, type SymbolBlob } from "../symbols/symbol_blob.ts";

/** How many of a function's first bytes are checked. */
const FUNCTION_START = 8;
/** More bytes than are compared at once. */
const MOST_PIECE = 1 << 16;
const BANNER = new TextEncoder().encode("Linux version ");
/** Little-endian magic of BTF. */
const BTF_MAGIC = new Uint8Array([0x9f, 0xeb]);

/** Distance of a symbol from `_text`; `undefined` when the kernel lacks it. */
function offsetOf(blob: SymbolBlob, name: string): number | undefined {
  const index = findName(blob, name);
  return index < blob.absolute ? undefined : blob.offsets[index];
}

function tryRead(
  mem: PhysicalMemory,
  gpa: number,
  length: number,
): Uint8Array<ArrayBuffer> | undefined {
  const into = allocateBytes(length, MOST_PIECE, "a piece of the image");
  try {
    mem.read(gpa, into);
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
  return into;
}

function holds(mem: PhysicalMemory, gpa: number, bytes: Uint8Array): boolean {
  const found = tryRead(mem, gpa, bytes.length);
  return found !== undefined && bytes.every((byte, i) => byte === found[i]);
}

/** Whether there are function starts at the addresses that the symbols give. */
function functionsStart(
  { image }: Arch,
  mem: PhysicalMemory,
  blob: SymbolBlob,
  textGpa: number,
): boolean {
  const end = offsetOf(blob, "_etext") ?? 0;
  let asked = 0;
  let good = 0;
  const step = Math.max(1, Math.floor(blob.count / 2000));
  for (let i = blob.absolute; i < blob.count && asked < 200; i += step) {
    const offset = blob.offsets[i];
    if (offset >= end || (blob.types[i] | 0x20) !== 0x74) continue;
    asked++;
    const bytes = tryRead(mem, textGpa + offset, FUNCTION_START);
    if (bytes === undefined) return false;
    if (image.startsFunction(bytes)) good++;
  }
  return asked >= 10 && good * 2 > asked;
}

/** Whether the image's bytes confirm that `_text` is at `textGpa`. */
function imageIsAt(
  arch: Arch,
  mem: PhysicalMemory,
  blob: SymbolBlob,
  textGpa: number,
): boolean {
  const banner = offsetOf(blob, "linux_banner");
  if (banner !== undefined) return holds(mem, textGpa + banner, BANNER);
  const btf = offsetOf(blob, "__start_BTF");
  if (btf !== undefined && holds(mem, textGpa + btf, BTF_MAGIC)) return true;
  return functionsStart(arch, mem, blob, textGpa);
}

/** GVA of `_text`, derived from the relocated pointers in sys_call_table. */
function textGvaByPointers(
  { finder, image }: Arch,
  mem: PhysicalMemory,
  blob: SymbolBlob,
  textGpa: number,
): bigint | undefined {
  const table = offsetOf(blob, "sys_call_table");
  if (table === undefined) return undefined;
  const bytes = tryRead(mem, textGpa + table, 8 * finder.firstSyscalls.length);
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer);
  let textGva: bigint | undefined;
  for (const [i, name] of finder.firstSyscalls.entries()) {
    const offset = offsetOf(blob, name);
    if (offset === undefined) return undefined;
    const text = view.getBigUint64(8 * i, true) - BigInt(offset);
    if (textGva !== undefined && textGva !== text) return undefined;
    textGva = text;
  }
  return textGva !== undefined && textGva >= image.range.start &&
      textGva < image.range.end
    ? textGva
    : undefined;
}

/**
 * Finds the missing one of `_text`'s two addresses, given the GPA of something
 * within the image (`inside`).
 *
 * Returns `undefined` when no place agrees with the image's bytes.
 */
export function placeImage(
  arch: Arch,
  mem: PhysicalMemory,
  blob: SymbolBlob,
  inside: number,
  known: { readonly textGva: bigint } | { readonly textGpa: number },
): { textGva: bigint; textGpa: number } | undefined {
  if ("textGpa" in known) {
    const { textGpa } = known;
    if (!imageIsAt(arch, mem, blob, textGpa)) return undefined;
    const textGva = textGvaByPointers(arch, mem, blob, textGpa);
    return textGva === undefined ? undefined : { textGva, textGpa };
  }
  // Without a pointer to follow, every aligned place before the tables is
  // tried, nearest first; the tables are in .rodata, after the whole text.
  const text = offsetOf(blob, "_etext") ?? 0;
  const { alignment, maxSize } = arch.image;
  const highest = Math.floor((inside - text) / alignment);
  for (let k = highest; k >= 0; k--) {
    const textGpa = k * alignment;
    if (inside - textGpa > maxSize) break;
    if (imageIsAt(arch, mem, blob, textGpa)) return { ...known, textGpa };
  }
  return undefined;
}
