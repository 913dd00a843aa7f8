/**
 * The notes of a kernel core: VMCOREINFO, the CPUs' states as QEMU writes
 * them, and our own manifest.
 *
 * @module
 */

/** One ELF note. */
export interface ElfNote {
  /** Owner: `CORE`, `QEMU`, `VMCOREINFO`, `XFTRACE` ... */
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

/** NT_PRSTATUS of owner `CORE`: one for each CPU. */
export const NT_PRSTATUS = 1;

/** State of one CPU from a note of owner `QEMU`. */
export interface QemuCpuState {
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rflags: bigint;
  readonly cr0: bigint;
  readonly cr2: bigint;
  /** GPA of the top page table and flags, as the CPU holds it. */
  readonly cr3: bigint;
  readonly cr4: bigint;
  /** GVA of the interrupt descriptor table. */
  readonly idtBase: bigint;
  /** GVA of the global descriptor table. */
  readonly gdtBase: bigint;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** The other GS base (swapgs), where this QEMU wrote it. */
  readonly kernelGsBase?: bigint;
}

const align4 = (n: number) => Math.ceil(n / 4) * 4;

/**
 * Takes a PT_NOTE segment apart; what is cut short or malformed ends the list
 * quietly, as readelf does: the notes before it are still good.
 */
export function parseNotes(bytes: Uint8Array): ElfNote[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameSize = data.getUint32(at, true);
    const descSize = data.getUint32(at + 4, true);
    const type = data.getUint32(at + 8, true);
    const descAt = at + 12 + align4(nameSize);
    if (descAt + descSize > bytes.length) break;
    let nameEnd = at + 12 + nameSize;
    while (nameEnd > at + 12 && bytes[nameEnd - 1] === 0) nameEnd--;
    notes.push({
      name: new TextDecoder("latin1").decode(bytes.subarray(at + 12, nameEnd)),
      type,
      desc: bytes.subarray(descAt, descAt + descSize),
    });
    at = descAt + align4(descSize);
  }
  return notes;
}

/** The bytes of a PT_NOTE segment that holds these notes. */
export function encodeNotes(
  notes: readonly ElfNote[],
): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const note of notes) {
    size += 12 + align4(note.name.length + 1) + align4(note.desc.length);
  }
  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  let at = 0;
  for (const note of notes) {
    data.setUint32(at, note.name.length + 1, true);
    data.setUint32(at + 4, note.desc.length, true);
    data.setUint32(at + 8, note.type, true);
    bytes.set(new TextEncoder().encode(note.name), at + 12);
    at += 12 + align4(note.name.length + 1);
    bytes.set(note.desc, at);
    at += align4(note.desc.length);
  }
  return bytes;
}

/**
 * Reads a `QEMU` note: struct QEMUCPUState of QEMU's
 * target/i386/arch_dump.c, version 1. Undefined for another version.
 */
export function parseQemuCpu(desc: Uint8Array): QemuCpuState | undefined {
  const minimum = 8 + 18 * 8 + 10 * 24 + 5 * 8;
  if (desc.length < minimum) return undefined;
  const data = new DataView(desc.buffer, desc.byteOffset, desc.byteLength);
  if (data.getUint32(0, true) !== 1) return undefined;
  const u64 = (at: number) => data.getBigUint64(at, true);
  // 16 general registers, rip, rflags; then ten segments of 24 bytes: cs ds
  // es fs gs ss ldt tr gdt idt; then cr0..cr4.
  const register = (index: number) => u64(8 + index * 8);
  const segmentBase = (index: number) => u64(8 + 18 * 8 + index * 24 + 16);
  const control = (index: number) => u64(8 + 18 * 8 + 10 * 24 + index * 8);
  return {
    rip: register(16),
    rflags: register(17),
    rsp: register(6),
    fsBase: segmentBase(3),
    gsBase: segmentBase(4),
    gdtBase: segmentBase(8),
    idtBase: segmentBase(9),
    cr0: control(0),
    cr2: control(2),
    cr3: control(3),
    cr4: control(4),
    kernelGsBase: desc.length >= minimum + 8 ? u64(minimum) : undefined,
  };
}
