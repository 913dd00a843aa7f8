/**
 * The registers of a guest's processors, as its hypervisor tells them. They say
 * which page tables and which vectors are in use, where the guest's memory can
 * only claim it.
 *
 * @module
 */
import { MemoryError } from "../base/errors.ts";
import type { ElfNote } from "../memory/elf_core_notes.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";

/** The registers of one vCPU at one moment. */
export interface CpuRegisters {
  /** The vCPU's number in the hypervisor. */
  readonly cpu: number;
  /**
   * Values by names in lower case, as the architecture spells them: `cr3`,
   * `idtr.base`. A register that the source does not tell is missing.
   */
  readonly values: Readonly<Record<string, bigint>>;
}

/** The page tables that a vCPU uses. */
export interface CpuPaging {
  /** GPA of the top-level table. */
  readonly root: number;
  readonly levels: number;
  /**
   * GPA of the full set of tables, if {@linkcode root} may be the reduced copy
   * that is in use while user programs run.
   */
  readonly partner?: number;
}

/** A register that holds the address of one of the kernel's objects. */
export interface Anchor {
  /** The register's name, for messages: `IDTR`. */
  readonly register: string;
  /** GVA in the register. */
  readonly gva: bigint;
  /** The symbol whose memory it must lead to. */
  readonly symbol: string;
}

/** How an architecture's registers are read. */
export interface Registers {
  /** The command of QEMU's monitor that prints those of all vCPUs. */
  readonly monitorCommand: string;
  /**
   * Parses what the command prints. The order is the monitor's; text that is
   * not understood is skipped.
   */
  fromMonitor(text: string): CpuRegisters[];
  /** The registers in the notes that QEMU adds to a core. */
  fromNotes(notes: readonly ElfNote[]): CpuRegisters[];
  /**
   * The page tables that a vCPU uses.
   *
   * @returns `"off"` when it has no paging, as before it is started; a
   * sentence's end when they cannot be told
   */
  paging(cpu: CpuRegisters): CpuPaging | "off" | { readonly why: string };
  /** The registers that tie a vCPU to the kernel's own objects. */
  anchors(cpu: CpuRegisters): Anchor[];
}

/** The registers of all vCPUs, or why there are none. */
export type RegisterReading =
  | {
    readonly cpus: readonly CpuRegisters[];
    /**
     * Copies of the top-level tables that the vCPUs used, by GPA, made as soon
     * as the registers were known: a process may end at any time, and its
     * tables are then used for something else.
     */
    readonly tops: ReadonlyMap<number, Uint8Array>;
    /** Where they come from: `QEMU's monitor`. */
    readonly from: string;
  }
  | {
    /** The end of the sentence "the root is not verified: ...". */
    readonly why: string;
  };

/** Bytes of a top-level table. */
const TOP_BYTES = 4096;

/** Completes a reading: copies the top-level tables that the vCPUs use. */
export function readingOf(
  arch: Registers,
  memory: PhysicalMemory,
  cpus: readonly CpuRegisters[],
  from: string,
): RegisterReading {
  if (cpus.length === 0) return { why: `${from} told no registers` };
  const tops = new Map<number, Uint8Array>();
  for (const cpu of cpus) {
    const paging = arch.paging(cpu);
    if (paging === "off" || "why" in paging) continue;
    for (const gpa of [paging.root, paging.partner]) {
      if (gpa === undefined || tops.has(gpa)) continue;
      const top = new Uint8Array(TOP_BYTES);
      try {
        memory.read(gpa, top);
        tops.set(gpa, top);
      } catch (error) {
        // A table outside of RAM is judged by those who walk it.
        if (!(error instanceof MemoryError)) throw error;
      }
    }
  }
  return { cpus, tops, from };
}
