/**
 * Reads the content of an instance's buffers, from the oldest event to the
 * newest: what the guest's `trace` file would show.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { EventColumns, PageArena } from "./columns.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder, pageStatusName } from "./page.ts";
import { PageSet } from "./page_set.ts";
import type { ChainPage, CpuBuffer } from "./ring_buffer.ts";
import { traceEpoch } from "./follower.ts";
import type { BufferPart, TraceArray } from "./trace_array.ts";

/** Attempts to list a ring whose ends are moving. */
const LIST_TRIES = 10;

/** The result of reading one CPU's buffer. */
export interface CpuReading {
  readonly cpu: number;
  /** Number of events decoded. */
  readonly events: number;
  /** Events older than `time_start`, which the kernel skips too. */
  readonly skipped: number;
  /** Events that the guest overwrote since the buffer was emptied. */
  readonly overrun: number;
  /** Number of events in the buffer according to the guest's counters. */
  readonly expected: number;
  /**
   * Events that are in the buffer according to the counters but could not be
   * read: the guest overwrote them meanwhile, or their page is damaged.
   */
  readonly lost: number;
  /**
   * Whether the counters stayed the same meanwhile: then nothing was lost to the
   * guest's own writing.
   */
  readonly still: boolean;
}

/** The result of reading all CPUs. */
export interface Reading {
  /** The buffer that was read. */
  readonly part: BufferPart;
  /** Events of all CPUs; the rows of one CPU are in ring order. */
  readonly columns: EventColumns;
  /** The pages that hold the rows' payloads. */
  readonly arena: PageArena;
  readonly cpus: readonly CpuReading[];
  /**
   * The counts of CPUs that were not read, if only one was: the header of a
   * trace is about all of them.
   */
  readonly others?: readonly CpuCounts[];
  /** Problems with pages, one sentence each. */
  readonly problems: readonly string[];
}

/** The counts of a CPU's buffer that are in the header of a trace. */
export type CpuCounts = Pick<CpuReading, "expected" | "skipped" | "overrun">;

/** Options for reading. */
export interface ReadOptions {
  /**
   * A buffer other than the one that the file `trace` shows, such as the
   * snapshot.
   */
  readonly part?: BufferPart;
  /** Read only this CPU. */
  readonly cpu?: number;
}

/**
 * Reads an instance's buffers. When the guest is not recording, the result is
 * exact. While it records, pages that it reuses meanwhile are missing and
 * counted as lost; use a follower to read a running buffer.
 *
 * @throws {KernelError} when a ring cannot be walked.
 * @throws {MemoryError} when memory cannot be read.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readBuffers } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * const { columns, cpus } = readBuffers(instance, layout);
 * console.log(columns.length, cpus.map(({ cpu, events }) => [cpu, events]));
 * ```
 */
export function readBuffers(
  instance: TraceArray,
  layout: TraceLayout,
  options: ReadOptions = {},
): Reading {
  const part = options.part ?? instance.shown();
  const { buffer } = part;
  const epoch = traceEpoch(instance, layout);
  const arena = new PageArena(buffer.pageSize);
  const columns = new EventColumns(epoch, 65536);
  const decoder = new PageDecoder(layout, columns);
  decoder.timeStart = Number(part.timeStart - epoch);
  const problems: string[] = [];
  const cpus: CpuReading[] = [];
  const others: CpuCounts[] = [];
  const ram = instance.kernel.memory.ranges.reduce(
    (sum, { start, end }) => sum + end - start,
    0,
  );
  for (const cpu of buffer.cpuBuffers()) {
    if (options.cpu !== undefined && cpu.cpu !== options.cpu) {
      others.push(countsOf(instance, part, cpu));
      continue;
    }
    // Several rings with the same pages would not end within the host's memory.
    if (arena.slotsInUse * arena.slotSize > ram) {
      throw new KernelError(
        "the guest's trace buffers claim more pages than it has RAM: they are damaged",
      );
    }
    cpus.push(readCpu(cpu, arena, decoder, layout, problems));
  }
  if (cpus.length === 0) {
    throw new KernelError(`the guest has no CPU ${options.cpu}`);
  }
  return {
    part,
    columns,
    arena,
    cpus,
    ...(others.length === 0 ? {} : { others }),
    problems,
  };
}

/**
 * The counts of a CPU that is not read. How many of its entries are older than
 * the trace is what the kernel found when a trace file was last opened
 * (tracing_iter_reset() counts them for the CPUs of that file).
 */
export function countsOf(
  instance: TraceArray,
  part: BufferPart,
  cpu: CpuBuffer,
): CpuCounts {
  const { entries, overrun, read } = cpu.counters();
  const { kernel, object } = instance;
  const base = object.u64(`${part.member}.data`);
  const skipped = base === 0n ? 0 : kernel.object(
    "trace_array_cpu",
    BigInt.asUintN(64, base + (kernel.perCpuOffsets[cpu.cpu] ?? 0n)),
  ).number("skipped_entries");
  return { expected: entries - overrun - read, skipped, overrun };
}

function readCpu(
  cpu: CpuBuffer,
  arena: PageArena,
  decoder: PageDecoder,
  layout: TraceLayout,
  problems: string[],
): CpuReading {
  const before = cpu.counters();
  const { chain, set, stamps } = readChain(cpu, layout, arena.slotSize);
  let events = 0;
  let skipped = 0;
  for (let i = 0; i < chain.length; i++) {
    const slot = arena.acquire();
    const copied = set.copy(i, arena, slot, 0);
    const { stampLo, stampHi, commit } = set.header;
    // With another stamp, the page has been reused and holds the newest events.
    const reused = stampLo !== stamps[2 * i] || stampHi !== stamps[2 * i + 1];
    if (!copied || reused) {
      arena.release(slot);
      if (commit !== 0 || reused) {
        problems.push(
          `CPU ${cpu.cpu}: the page at GPA ${
            hex(chain[i].gpa)
          } was reused while it was read`,
        );
      }
      continue;
    }
    set.store(arena, slot);
    const status = decoder.decodeSlot(arena, slot, cpu.cpu, chain[i].read);
    events += decoder.events;
    skipped += decoder.skipped;
    if (status !== PAGE_STATUS.ok) {
      problems.push(
        `CPU ${cpu.cpu}: the page at GPA ${
          hex(chain[i].gpa)
        } does not decode (${
          pageStatusName(status)
        } at byte ${decoder.nextOffset}); the ${decoder.events} events before that are kept`,
      );
    }
    if (decoder.events === 0) arena.release(slot);
  }
  const expected = before.entries - before.overrun - before.read;
  const after = cpu.counters();
  return {
    cpu: cpu.cpu,
    events,
    skipped,
    overrun: before.overrun,
    expected,
    lost: Math.max(0, expected - events - skipped),
    still: before.entries === after.entries &&
      before.overrun === after.overrun && before.read === after.read,
  };
}

/** A CPU's pages that hold events, and the halves of their stamps. */
export interface Listed {
  readonly chain: readonly ChainPage[];
  readonly set: PageSet;
  readonly stamps: Uint32Array;
}

/** Lists the chain, with several attempts while the guest moves its ends. */
export function readChain(
  cpu: CpuBuffer,
  layout: TraceLayout,
  pageSize: number,
): Listed {
  const ends = () =>
    `${cpu.object.u64("reader_page")} ${cpu.object.u64("overrun")}`;
  for (let tries = 1;; tries++) {
    const before = ends();
    try {
      const chain = cpu.chain();
      const set = new PageSet(cpu.kernel.space, chain, layout.page, pageSize);
      const stamps = new Uint32Array(2 * chain.length);
      for (let i = 0; i < chain.length; i++) {
        const { stampLo, stampHi } = set.load(i);
        stamps[2 * i] = stampLo;
        stamps[2 * i + 1] = stampHi;
      }
      if (ends() === before || tries >= LIST_TRIES) {
        return { chain, set, stamps };
      }
    } catch (error) {
      if (!(error instanceof KernelError) || tries >= LIST_TRIES) throw error;
    }
  }
}

/**
 * Decodes the first page that holds events. The time from attaching to the
 * first event is what `info --timing` shows.
 *
 * @returns how many events the page holds; 0 when all buffers are empty.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance, readFirstPage } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * console.log(readFirstPage(instance, layout), "events");
 * ```
 */
export function readFirstPage(
  instance: TraceArray,
  layout: TraceLayout,
): number {
  const buffer = instance.buffer();
  const arena = new PageArena(buffer.pageSize, 1);
  const columns = new EventColumns(0n);
  const decoder = new PageDecoder(layout, columns);
  for (const cpu of buffer.cpuBuffers()) {
    const { space } = instance.kernel;
    const page = cpu.commitPage();
    const set = new PageSet(space, [page], layout.page, arena.slotSize);
    const slot = arena.acquire();
    if (set.copy(0, arena, slot, 0)) {
      set.store(arena, slot);
      decoder.decodeSlot(arena, slot, cpu.cpu);
      if (decoder.events > 0) return decoder.events;
    }
    arena.release(slot);
  }
  return 0;
}
