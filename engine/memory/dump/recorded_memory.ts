/**
 * What every dump of a guest's memory has, whatever its format.
 *
 * @module
 */
import { type ElfNote, NT_PRSTATUS } from "../elf_core_notes.ts";
import type { PhysicalMemory } from "../physical_memory.ts";

/** The memory of a guest in a file that does not change. */
export interface RecordedMemory extends PhysicalMemory {
  /** All ELF notes, in file order; formats without notes have none. */
  readonly notes: readonly ElfNote[];
  /** Text of the vmcoreinfo note, if the file has one. */
  readonly vmcoreinfo: string | undefined;
  /** How many CPUs the file holds registers of. */
  readonly cpuNotes: number;
}

/** The text of the vmcoreinfo note among these. */
export function notedVmcoreinfo(
  notes: readonly ElfNote[],
): string | undefined {
  const text = notes.find((note) => note.name === "VMCOREINFO")?.desc;
  return text && vmcoreinfoText(text);
}

/** A vmcoreinfo's bytes as text. */
export function vmcoreinfoText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\0+$/, "");
}

/** Of how many CPUs there are registers among these notes. */
export function countCpuNotes(notes: readonly ElfNote[]): number {
  return notes.filter(({ name, type }) =>
    name === "CORE" && type === NT_PRSTATUS
  ).length;
}
