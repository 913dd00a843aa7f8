/**
 * Reads the content of an instance's buffers some pages at a time, in order of
 * time: of buffers that nobody writes to, nothing needs to be held that was
 * passed on already.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import { EventColumns, type LostEvents, PageArena } from "./columns.ts";
import { traceEpoch } from "./follower.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder, pageStatusName } from "./page.ts";
import { PageSet } from "./page_set.ts";
import {
  countsOf,
  type CpuCounts,
  type CpuReading,
  type Listed,
  readChain,
  type ReadOptions,
} from "./reader.ts";
import type { CpuBuffer, CpuCounters, RingBuffer } from "./ring_buffer.ts";
import type { TraceArray } from "./trace_array.ts";

/** Pages that are copied and decoded at once. */
const BATCH = 16;
/** Pages that are looked up at once. */
const SLICE = 256;
/** Rows for which there is room at first. */
const ROWS = 1 << 12;
/** Rows that are passed on at once. */
const LONGEST = 1 << 12;

/**
 * Whether nothing is written to a buffer (`tracing_on` is 0).
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { isStopped, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(isStopped(openInstance(guest.session).instance.shown().buffer)); // true
 * ```
 */
export function isStopped(buffer: RingBuffer): boolean {
  return buffer.object.number("record_disabled") !== 0;
}

/** What the streams of an instance's CPUs have in common. */
interface Source {
  readonly space: AddressSpace;
  readonly layout: TraceLayout;
  readonly epoch: bigint;
  readonly pageSize: number;
  /** ns since the epoch. */
  readonly timeStart: number;
}

/** One CPU's events, some pages at a time. */
class CpuStream {
  readonly columns: EventColumns;
  readonly arena: PageArena;
  /** The next row. */
  row = 0;
  events = 0;
  skipped = 0;
  readonly problems: string[] = [];
  readonly #source: Source;
  readonly #cpu: number;
  readonly #chain: Listed["chain"];
  readonly #stamps: Uint32Array;
  readonly #decoder: PageDecoder;
  /** The pages from `#first` on. */
  #set: PageSet | undefined;
  #first = 0;
  /** The next page. */
  #page = 0;
  #counted = 0;

  constructor(source: Source, cpu: CpuBuffer) {
    const { layout, epoch, pageSize, timeStart } = source;
    this.#source = source;
    this.#cpu = cpu.cpu;
    this.columns = new EventColumns(epoch, ROWS);
    this.arena = new PageArena(pageSize, BATCH + 1);
    this.#decoder = new PageDecoder(layout, this.columns);
    this.#decoder.timeStart = timeStart;
    const { chain, stamps } = readChain(cpu, layout, pageSize);
    this.#chain = chain;
    this.#stamps = stamps;
    this.#skipOlder();
  }

  get pages(): number {
    return this.#chain.length;
  }

  /** The time of the next row; Infinity if there is none. */
  get time(): number {
    return this.row < this.columns.length
      ? this.columns.ts[this.row]
      : Infinity;
  }

  /** Whether there are pages that are not decoded yet. */
  get more(): boolean {
    return this.#page < this.#chain.length;
  }

  /**
   * Counts the events that are older than the trace, which the header of a trace
   * leaves out: they are in pages that began before it did.
   */
  #skipOlder(): void {
    const { columns } = this;
    const { timeStart } = this.#source;
    for (let i = 0; i < this.#chain.length; i++) {
      const lo = this.#stamps[2 * i];
      const hi = this.#stamps[2 * i + 1];
      if (columns.sinceEpoch(lo, hi) >= timeStart) continue;
      this.arena.clear();
      this.#decode(i);
      columns.clear();
    }
    this.#counted = this.skipped;
    this.events = this.skipped = 0;
    this.problems.length = 0;
  }

  /** How many events are older than the trace, before any is passed on. */
  get older(): number {
    return this.#counted;
  }

  /**
   * Decodes more pages, unless there is a row after the next one: whether a call
   * is a leaf is seen in the event after it.
   */
  fill(): void {
    const { columns, arena } = this;
    while (columns.length - this.row < 2 && this.more) {
      const { slotSize, bytes } = arena;
      columns.dropBefore(this.row);
      this.row = 0;
      arena.clear();
      if (columns.length > 0) {
        // Its page is kept, at the front.
        const slot = arena.acquire();
        const at = columns.offset[0] % slotSize;
        const from = columns.offset[0] - at;
        if (from !== slot) bytes.copyWithin(slot, from, from + slotSize);
        columns.offset[0] = slot + at;
      }
      for (let i = 0; i < BATCH && this.more; i++) this.#decode(this.#page++);
    }
  }

  /** Copies and decodes a page. */
  #decode(index: number): void {
    const { space, layout, pageSize } = this.#source;
    const { arena } = this;
    if (this.#set === undefined || index >= this.#first + this.#set.size) {
      this.#first = index;
      const pages = this.#chain.slice(index, index + SLICE);
      this.#set = new PageSet(space, pages, layout.page, pageSize);
    } else if (index < this.#first) {
      this.#set = undefined;
      this.#decode(index);
      return;
    }
    const set = this.#set;
    const slot = arena.acquire();
    const copied = set.copy(index - this.#first, arena, slot, 0);
    const { stampLo, stampHi, commit } = set.header;
    const { gpa, read } = this.#chain[index];
    // With another stamp, the page has been reused and holds the newest events.
    const reused = stampLo !== this.#stamps[2 * index] ||
      stampHi !== this.#stamps[2 * index + 1];
    if (!copied || reused) {
      if (commit !== 0 || reused) {
        this.#problem(gpa, "was reused while it was read");
      }
      return;
    }
    set.store(arena, slot);
    const decoder = this.#decoder;
    const status = decoder.decodeSlot(arena, slot, this.#cpu, read);
    this.events += decoder.events;
    this.skipped += decoder.skipped;
    if (status !== PAGE_STATUS.ok) {
      this.#problem(
        gpa,
        `does not decode (${
          pageStatusName(status)
        } at byte ${decoder.nextOffset}); the ${decoder.events} events before that are kept`,
      );
    }
  }

  #problem(gpa: number, what: string): void {
    this.problems.push(`CPU ${this.#cpu}: the page at GPA ${hex(gpa)} ${what}`);
  }
}

/** A run of rows of one CPU. */
export interface BufferRun {
  readonly columns: EventColumns;
  readonly arena: PageArena;
  readonly from: number;
  readonly to: number;
  /** The CPU's next event, a row of the same columns; -1 if there is none. */
  readonly next: number;
  /** The time of the next event on any CPU; NaN if there is none. */
  readonly nextTs: number;
  /** The loss before the first row. */
  readonly loss: LostEvents | undefined;
}

/**
 * An instance's buffers, read while they are passed on. The counts of
 * {@linkcode cpus} are complete when all has been.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { BufferStream, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * const stream = new BufferStream(instance, layout);
 * let events = 0;
 * for (let run = stream.next(); run !== undefined; run = stream.next()) {
 *   events += run.to - run.from;
 * }
 * console.log(events, stream.cpus.map(({ cpu, lost }) => [cpu, lost]));
 * ```
 */
export class BufferStream {
  readonly cpus: readonly CpuReading[];
  readonly others?: readonly CpuCounts[];
  readonly problems: string[] = [];
  readonly #buffers: readonly CpuBuffer[];
  readonly #counters: readonly CpuCounters[];
  readonly #streams: readonly CpuStream[];
  #last: CpuStream | undefined;

  /**
   * @throws {KernelError} when a ring cannot be walked.
   * @throws {MemoryError} when memory cannot be read.
   */
  constructor(
    instance: TraceArray,
    layout: TraceLayout,
    options: ReadOptions = {},
  ) {
    const { kernel } = instance;
    const part = options.part ?? instance.shown();
    const { buffer } = part;
    const epoch = traceEpoch(instance, layout);
    const source: Source = {
      space: kernel.space,
      layout,
      epoch,
      pageSize: buffer.pageSize,
      timeStart: Number(part.timeStart - epoch),
    };
    const ram = kernel.memory.ranges.reduce(
      (sum, { start, end }) => sum + end - start,
      0,
    );
    const all = buffer.cpuBuffers();
    const wanted = (cpu: CpuBuffer) =>
      options.cpu === undefined || cpu.cpu === options.cpu;
    this.#buffers = all.filter(wanted);
    if (this.#buffers.length === 0) {
      throw new KernelError(`the guest has no CPU ${options.cpu}`);
    }
    const others = all.filter((cpu) => !wanted(cpu));
    if (others.length > 0) {
      this.others = others.map((cpu) => countsOf(instance, part, cpu));
    }
    let pages = 0;
    const counters: CpuCounters[] = [];
    this.#counters = counters;
    this.#streams = this.#buffers.map((cpu) => {
      // Several rings with the same pages would take too long.
      if (pages * source.pageSize > ram) {
        throw new KernelError(
          "the guest's trace buffers claim more pages than it has RAM: they are damaged",
        );
      }
      counters.push(cpu.counters());
      const stream = new CpuStream(source, cpu);
      pages += stream.pages;
      return stream;
    });
    this.cpus = this.#streams.map((stream, i) => ({
      cpu: this.#buffers[i].cpu,
      events: 0,
      skipped: stream.older,
      overrun: counters[i].overrun,
      expected: expectedOf(counters[i]),
      lost: 0,
      still: true,
    }));
    for (const stream of this.#streams) stream.fill();
  }

  /** The next run in order of time; valid until the one after it. */
  next(): BufferRun | undefined {
    this.#last?.fill();
    let best: CpuStream | undefined;
    let time = Infinity;
    /** Until when the best one goes on, and whether it wins a tie. */
    let until = Infinity;
    let wins = true;
    for (const stream of this.#streams) {
      const own = stream.time;
      if (own < time) {
        if (best !== undefined) {
          until = time;
          wins = false;
        }
        best = stream;
        time = own;
      } else if (own < until) {
        until = own;
        wins = true;
      }
    }
    if (best === undefined) {
      this.#end();
      return undefined;
    }
    this.#last = best;
    const { columns, arena, row: from } = best;
    const { ts, length, lost } = columns;
    let stop = Math.min(best.more ? length - 1 : length, from + LONGEST);
    let loss: LostEvents | undefined;
    for (const each of lost) {
      if (each.row === from) loss = each;
      else if (each.row > from && each.row < stop) stop = each.row;
    }
    let to = from + 1;
    while (to < stop && (ts[to] < until || (wins && ts[to] === until))) to++;
    best.row = to;
    const nextTs = Math.min(to < length ? ts[to] : Infinity, until);
    return {
      columns,
      arena,
      from,
      to,
      next: to < length ? to : -1,
      nextTs: nextTs === Infinity ? NaN : nextTs,
      loss,
    };
  }

  /** Leaves out the next event of the CPU of the last run. */
  skip(): void {
    const last = this.#last;
    if (last !== undefined && last.row < last.columns.length) last.row++;
  }

  /** Completes the counts. */
  #end(): void {
    this.#last = undefined;
    this.problems.length = 0;
    for (const [i, { events, skipped, problems }] of this.#streams.entries()) {
      const before = this.#counters[i];
      const after = this.#buffers[i].counters();
      this.problems.push(...problems);
      Object.assign(this.cpus[i], {
        events,
        skipped,
        lost: Math.max(0, expectedOf(before) - events - skipped),
        still: before.entries === after.entries &&
          before.overrun === after.overrun && before.read === after.read,
      });
    }
  }
}

function expectedOf({ entries, overrun, read }: CpuCounters): number {
  return entries - overrun - read;
}
