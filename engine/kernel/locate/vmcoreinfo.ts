/**
 * The vmcoreinfo note, which a kernel keeps in memory for crash dumps: where
 * the kernel is and how it is laid out (kernel/crash_core.c).
 * Architecture-specific lines are parsed by the architectures.
 *
 * @module
 */
import type { NoteValues } from "../../arch/kernel_place.ts";
import { KernelError } from "../../base/errors.ts";
import { GRANULE } from "../../memory/elf_core_ranges.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";

/** A parsed vmcoreinfo note. */
export interface Vmcoreinfo extends NoteValues {
  /**
   * GPA of the note's text, or -1 when it came from another source (a core).
   */
  readonly gpa: number;
  /** GPAs of all pages with this text. */
  readonly copies: readonly number[];
  /** The text of the note, lines of the form `KEY=VALUE`. */
  readonly text: string;
  /** `OSRELEASE`, as printed by `uname -r`. */
  readonly release: string;
  /** `BUILD-ID` in hex; older kernels do not have it. */
  readonly buildId: string | undefined;
  /** The kaslr offset of the kernel image, in bytes. */
  readonly kaslrOffset: bigint;
}

/** Notes begin at multiples of this; no kernel has smaller pages. */
const STEP = GRANULE;
/** Upper limit of a note's length, whatever the page size. */
const NOTE_BYTES = GRANULE;
const CHUNK = 4 << 20;
/** The most different notes; a few survive reboots, no guest has hundreds. */
const MOST_NOTES = 256;
/** The most pages that begin like a note. */
const MOST_PAGES = 8192;
/** The values of 64 bits that a note holds. */
const ADDRESS = /^[\da-f]{1,16}$/;
const NUMBER = /^-?\d{1,20}$/;
/** "OSRE", the first word of `OSRELEASE=`, little-endian. */
const OSRE = 0x4552534f;

/**
 * Parses the text of a note; `undefined` when it is not a kernel's vmcoreinfo,
 * which must contain the release and the kaslr offset.
 */
export function parseVmcoreinfo(
  text: string,
  gpa = -1,
): Vmcoreinfo | undefined {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const release = values.get("OSRELEASE");
  const offset = values.get("KERNELOFFSET");
  if (release === undefined || !ADDRESS.test(offset ?? "")) {
    return undefined;
  }
  return {
    gpa,
    copies: gpa < 0 ? [] : [gpa],
    text,
    release,
    buildId: values.get("BUILD-ID"),
    kaslrOffset: BigInt("0x" + offset),
    symbol(name) {
      const value = values.get(`SYMBOL(${name})`);
      return value !== undefined && ADDRESS.test(value)
        ? BigInt("0x" + value)
        : undefined;
    },
    value: (key) => values.get(key),
    number(name) {
      const value = values.get(`NUMBER(${name})`);
      return value !== undefined && NUMBER.test(value)
        ? BigInt(value)
        : undefined;
    },
  };
}

/**
 * All different vmcoreinfo notes in a guest's memory: the running kernel's, and
 * possibly those left by earlier boots. A note has a page of its own, so only
 * the starts of pages are examined; holes are skipped.
 *
 * @throws {KernelError} when there are far more than any guest has.
 */
export function findVmcoreinfo(memory: PhysicalMemory): Vmcoreinfo[] {
  const found = new Map<string, Vmcoreinfo & { readonly copies: number[] }>();
  let pages = 0;
  const page = new Uint8Array(NOTE_BYTES);
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  for (const range of memory.dataRanges()) {
    const first = Math.ceil(range.start / STEP) * STEP;
    for (let at = first; at < range.end; at += CHUNK) {
      const size = Math.min(CHUNK, range.end - at) & ~(STEP - 1);
      if (size === 0) break;
      let bytes = memory.view(at, size);
      if (bytes === undefined || bytes.byteOffset % 4 !== 0) {
        buffer ??= new Uint8Array(CHUNK);
        bytes = buffer.subarray(0, size);
        memory.read(at, bytes);
      }
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size / 4);
      for (let i = 0; i < words.length; i += STEP / 4) {
        if (words[i] !== OSRE) continue;
        if (++pages > MOST_PAGES) throw tooMany(memory, `${MOST_PAGES}`);
        memory.read(at + i * 4, page);
        const end = page.indexOf(0);
        const text = new TextDecoder("latin1").decode(
          page.subarray(0, end < 0 ? NOTE_BYTES : end),
        );
        if (!text.startsWith("OSRELEASE=")) continue;
        const gpa = at + i * 4;
        const same = found.get(text);
        if (same !== undefined) {
          same.copies.push(gpa);
          continue;
        }
        const note = parseVmcoreinfo(text, gpa);
        if (note === undefined) continue;
        if (found.size === MOST_NOTES) {
          throw tooMany(memory, `${MOST_NOTES} different`);
        }
        found.set(text, { ...note, copies: [gpa] });
      }
    }
  }
  return [...found.values()];
}

function tooMany({ name }: PhysicalMemory, number: string): KernelError {
  return new KernelError(
    `${name} holds more than ${number} vmcoreinfo notes: somebody has filled the guest's memory with them, and which one is its kernel's cannot be told`,
  );
}
