/**
 * The parts of a trace.dat as they are read.
 *
 * @module
 */
import type { DatCursor } from "./dat_file.ts";
import type { DatPacking } from "./dat_unpack.ts";
import type { DatEvent } from "./format_file.ts";

/** The data of one CPU in the file. */
export interface DatCpu {
  readonly cpu: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes, as they are in the file. */
  readonly size: number;
}

/** The events of one instance of the guest's Ftrace. */
export interface DatBuffer {
  /** The instance; empty for the top level. */
  readonly name: string;
  readonly pageSize: number;
  /** Whether the data of CPUs are packed in chunks. */
  readonly packed: boolean;
  readonly cpus: readonly DatCpu[];
  /** v7: where its section is. */
  readonly section: number;
  /** A trace that is text already (of a latency tracer). */
  readonly text?: { readonly offset: number; readonly size: number };
}

/** Everything but the events. */
export interface DatHeader {
  readonly path: string;
  readonly version: 6 | 7;
  readonly little: boolean;
  /** Bytes of a `long` of the guest's kernel. */
  readonly longSize: 4 | 8;
  readonly pageSize: number;
  readonly packing: DatPacking;
  /** Place of the data in a page, in bytes. */
  readonly pageData: number;
  readonly events: readonly DatEvent[];
  /** Files with formats that could not be parsed. */
  readonly badFormats: number;
  /** Texts of /proc/kallsyms, printk_formats and saved_cmdlines. */
  readonly kallsyms: string;
  readonly printk: string;
  readonly cmdlines: string;
  /** CPUs that the guest has. */
  readonly cpuCount: number;
  /** Its trace clock; undefined if the file does not say. */
  readonly clock: string | undefined;
  /** Added to the time of each event, in ns. */
  readonly timeOffset: bigint;
  /** How the TSC is converted to ns. */
  readonly tsc: { readonly mult: number; readonly shift: number } | undefined;
  /** Whether times would have to be shifted to those of a host. */
  readonly shifted: boolean;
  readonly uname: string | undefined;
  /** The top level first. */
  readonly buffers: readonly DatBuffer[];
}

/** What the parts of the file are collected in. */
export type DatParts =
  & {
    -readonly [Name in keyof DatHeader]: DatHeader[Name];
  }
  & {
    events: DatEvent[];
    buffers: DatBuffer[];
    /** Bytes of the file. */
    fileSize: number;
    /** v6: instances and where their CPUs are listed. */
    instances: { name: string; offset: number }[];
    /** v7: places of sections, by option. */
    sections: Map<number, number>;
  };

/** Bytes of a section that holds texts. */
export const MOST_SECTION = 256 << 20;
/** CPUs that Linux can have (NR_CPUS at most 8192). */
export const MOST_CPUS = 8192;
/** Ids of options and of the sections that they lead to. */
export const DAT_ID = {
  done: 0,
  date: 1,
  cpustat: 2,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  hook: 6,
  offset: 7,
  cpuCount: 8,
  version: 9,
  procmaps: 10,
  traceId: 11,
  timeShift: 12,
  guest: 13,
  tsc2nsec: 14,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  bufferText: 22,
} as const;

/** The clock in brackets, of a trace_clock file: `[local] global`. */
export function chosenClock(text: string): string | undefined {
  return /\[(\w[\w-]*)\]/.exec(text)?.[1];
}

/** A CPU's data, which must lie within the file. */
export function checkedCpu(
  cursor: DatCursor,
  cpu: DatCpu,
  { fileSize }: Pick<DatParts, "fileSize">,
): DatCpu {
  // Of an empty CPU, the place does not matter.
  if (cpu.size > 0 && !(cpu.offset + cpu.size <= fileSize)) {
    throw cursor.error(
      `the data of CPU ${cpu.cpu} end at byte ${
        cpu.offset + cpu.size
      }, and the file at ${fileSize}: it was cut short`,
    );
  }
  return cpu;
}

/** A number of CPUs. */
export function cpus(cursor: DatCursor, count: number): number {
  if (count > MOST_CPUS) {
    throw cursor.error(`${count} CPUs are more than any guest has`);
  }
  return count;
}
