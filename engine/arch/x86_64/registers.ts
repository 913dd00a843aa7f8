/**
 * The registers of x86-64 processors.
 *
 * Sources: QEMU's target/i386/cpu-dump.c (x86_cpu_dump_state) and
 * target/i386/arch_dump.c (struct QEMUCPUState); Intel SDM vol. 3, 2.5 (control
 * registers) and 4.5 (CR3).
 *
 * @module
 */
import type { ElfNote } from "../../memory/elf_core_notes.ts";
import type {
  Anchor,
  CpuPaging,
  CpuRegisters,
  Registers,
} from "../registers.ts";

/** Bits of CR0. */
export const CR0 = { PE: 1n, WP: 1n << 16n, PG: 1n << 31n } as const;
/** Bits of CR4. */
export const CR4 = {
  UMIP: 1n << 11n,
  LA57: 1n << 12n,
  SMEP: 1n << 20n,
  SMAP: 1n << 21n,
} as const;
/** Bits of the EFER MSR. */
export const EFER = {
  SCE: 1n,
  LMA: 1n << 10n,
  NXE: 1n << 11n,
} as const;

/** Bits 12..51 of CR3: the GPA of the top-level table; below them the PCID. */
const CR3_ADDRESS = 0x000f_ffff_ffff_f000n;
/**
 * PTI_USER_PGTABLE_BIT: with page-table isolation, the tables in use while user
 * programs run lie one page above the kernel's (arch/x86/mm/pti.c).
 */
const PTI_USER = 0x1000;

/** RIP of a processor that waits for its start. */
const RESET = 0xfff0n;

/** More vCPUs than QEMU offers (4096 in 10.0). */
const MOST_CPUS = 8192;

/** The names of registers in the monitor's text that are kept. */
const PLAIN = /\b(RIP|EIP|CR[0-4]|DR[0-7]|EFER|CPL|SMM|HLT)=([\da-f]+)/g;
const SEGMENT = /^(CS|FS|GS) *=([\da-f]{4}) ([\da-f]{8,16}) /gm;
const TABLE = /^(GDT|IDT)= +([\da-f]{8,16}) ([\da-f]{8})/gm;

/** The registers of one vCPU, from its part of the monitor's text. */
function parseCpu(cpu: number, text: string): CpuRegisters | undefined {
  const values: Record<string, bigint> = {};
  for (const [, name, value] of text.matchAll(PLAIN)) {
    const key = name === "EIP" ? "rip" : name.toLowerCase();
    values[key] ??= BigInt(`0x${value}`);
  }
  for (const [, name, selector, base] of text.matchAll(SEGMENT)) {
    const key = name.toLowerCase();
    values[key] = BigInt(`0x${selector}`);
    values[`${key}.base`] = BigInt(`0x${base}`);
  }
  for (const [, name, base, limit] of text.matchAll(TABLE)) {
    const key = `${name.toLowerCase()}r`;
    values[`${key}.base`] = BigInt(`0x${base}`);
    values[`${key}.limit`] = BigInt(`0x${limit}`);
  }
  return values.cr0 === undefined ? undefined : { cpu, values };
}

function fromMonitor(text: string): CpuRegisters[] {
  // QEMU prints "CPU#0" before each vCPU; before 3.0, only one is printed, and
  // without such a line.
  const parts = text.replaceAll("\r", "").split(/^ *CPU#(\d+)[^\n]*$/m);
  const found: CpuRegisters[] = [];
  if (parts.length === 1) parts.unshift("", "0");
  for (let i = 1; i + 1 < parts.length && found.length < MOST_CPUS; i += 2) {
    const one = parseCpu(Number(parts[i]), parts[i + 1]);
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** Where the members of struct QEMUCPUState lie, in bytes. */
const NOTE = {
  version: 1,
  size: 440,
  rip: 8 + 16 * 8,
  segments: 152,
  segmentBytes: 24,
  cr: 392,
  kernelGs: 432,
} as const;
/** Its segments, in order. */
const NOTE_SEGMENTS = [
  "cs",
  "ds",
  "es",
  "fs",
  "gs",
  "ss",
  "ldt",
  "tr",
  "gdtr",
  "idtr",
] as const;

function fromNotes(notes: readonly ElfNote[]): CpuRegisters[] {
  const found: CpuRegisters[] = [];
  for (const { name, type, desc } of notes) {
    if (name !== "QEMU" || type !== 0 || desc.length < NOTE.size) continue;
    const view = new DataView(desc.buffer, desc.byteOffset, desc.byteLength);
    if (view.getUint32(0, true) !== NOTE.version) continue;
    if (found.length >= MOST_CPUS) break;
    const u64 = (at: number) => view.getBigUint64(at, true);
    const values: Record<string, bigint> = {
      rip: u64(NOTE.rip),
      "kernel_gs.base": u64(NOTE.kernelGs),
    };
    NOTE_SEGMENTS.forEach((segment, i) => {
      const at = NOTE.segments + i * NOTE.segmentBytes;
      values[segment] = BigInt(view.getUint32(at, true));
      values[`${segment}.limit`] = BigInt(view.getUint32(at + 4, true));
      values[`${segment}.base`] = u64(at + 16);
    });
    for (let i = 0; i <= 4; i++) values[`cr${i}`] = u64(NOTE.cr + 8 * i);
    values.cpl = values.cs & 3n;
    found.push({ cpu: found.length, values });
  }
  return found;
}

function paging(
  { values }: CpuRegisters,
): CpuPaging | "off" | { readonly why: string } {
  const { cr0, cr3, cr4, efer, smm } = values;
  if (cr0 === undefined || cr3 === undefined || cr4 === undefined) {
    return { why: "its control registers are not told" };
  }
  if (smm === 1n) return { why: "it is in system management mode" };
  if ((cr0 & CR0.PG) === 0n) {
    return values.hlt === 1n || values.rip === RESET
      ? "off"
      : { why: "it runs without paging, as while it is started" };
  }
  if (efer !== undefined && (efer & EFER.LMA) === 0n) {
    return { why: "it is not in 64-bit mode" };
  }
  const root = Number(cr3 & CR3_ADDRESS);
  return {
    root,
    levels: (cr4 & CR4.LA57) === 0n ? 4 : 5,
    // Whether there is such a pair, only the tables show.
    ...((root & PTI_USER) === 0 ? {} : { partner: root - PTI_USER }),
  };
}

function anchors({ values }: CpuRegisters): Anchor[] {
  const gva = values["idtr.base"];
  return gva === undefined
    ? []
    : [{ register: "IDTR", gva, symbol: "idt_table" }];
}

/** See {@linkcode Registers}. */
export const registers: Registers = {
  monitorCommand: "info registers -a",
  fromMonitor,
  fromNotes,
  paging,
  anchors,
};
