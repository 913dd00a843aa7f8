/**
 * Follows the ring buffers of all CPUs of an instance and hands out their
 * events in time order.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type EventColumns, PageArena } from "./columns.ts";
import {
  type CpuAccount,
  CpuFollower,
  type FollowStart,
  type SegmentSink,
} from "./cpu_follower.ts";
import {
  type DrainOptions,
  drainQueues,
  type EventVisitor,
  handOut,
} from "./event_queue.ts";
import type { TraceLayout } from "./meta.ts";
import type { CpuBuffer, RingBuffer } from "./ring_buffer.ts";
import type { TraceArray } from "./trace_array.ts";

/** The counts of a follower, summed over all CPUs. */
export interface FollowTotals {
  /** Number of events decoded. */
  decoded: number;
  /** Events written by the guest that could not be read. */
  lost: number;
  /** Events that the guest itself could not write. */
  dropped: number;
  /** How often the guest emptied a CPU's buffer. */
  resets: number;
  /**
   * How many of these resets happened without a quiet moment seen before:
   * events that the guest then discarded unread appear in no count.
   */
  blindResets: number;
  /** Events handed out after a later event of another CPU. */
  late: number;
  /**
   * How often a CPU's own clock stepped back between two events. The guest's
   * clock does this (the `global` trace clock of a guest whose TSC is not
   * stable), and it shows in the guest's own trace files too.
   */
  clockSteps: number;
  /**
   * Whether `decoded + lost` was equal to the guest's counts at the last poll.
   */
  exact: boolean;
}

const NS_PER_S = 1_000_000_000n;

/**
 * A CPU's buffer as found, either in the trace buffer or in the snapshot
 * buffer.
 */
interface Found {
  readonly cpu: CpuBuffer;
  readonly pageSize: number;
  /** Whether it is being written to, as far as is known. */
  readonly live: boolean;
}

/**
 * The buffers that an instance writes to, and those that a snapshot would
 * exchange them for.
 */
interface Look {
  /** Whether no CPU may write (`record_disabled`). */
  readonly stopped: boolean;
  readonly found: readonly Found[];
}

/** Watches how the guest's clock goes, by what each look at a ring finds. */
export interface PollWatch {
  /** The host's time, before a ring is read. */
  now(): number;
  /**
   * A ring has been read.
   *
   * @param ring its number
   * @param columns its events; those from row `from` on are new
   * @param before what `now` returned before
   * @param all whether it holds nothing more
   */
  polled(
    ring: number,
    columns: EventColumns,
    from: number,
    before: number,
    all: boolean,
  ): void;
}

/** Attempts to read the buffers without one being exchanged meanwhile. */
const LOOK_TRIES = 100;

/**
 * A follower of one instance. `poll` reads events; `drain` hands out, in time
 * order, those that no event still to come can precede.
 *
 * The snapshot buffer is followed as well: taking a snapshot swaps the two
 * buffers, of all CPUs or of one, possibly several times between two polls.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { Follower, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout, { fromBuffer: true });
 * follower.poll();
 * let events = 0;
 * follower.drain(() => events++, { all: true });
 * console.log(events, follower.totals());
 * ```
 */
export class Follower {
  readonly kernel: Kernel;
  readonly instance: TraceArray;
  /** The time from which the columns count, in ns of the trace clock. */
  readonly epoch: bigint;
  readonly #layout: TraceLayout;
  /** Arenas by sub-buffer size. */
  readonly #arenas = new Map<number, PageArena>();
  #cpus: readonly CpuFollower[];
  /** Number of followers created so far. */
  #rings = 0;
  /** Followers of buffers that are gone but not drained yet. */
  #leaving: CpuFollower[] = [];
  #sink: SegmentSink | undefined;
  #watch: PollWatch | undefined;
  /** Accounts of followers that no longer exist. */
  readonly #past: CpuAccount[] = [];
  readonly #handed = handOut();
  #passed = -Infinity;
  /** Time of the newest event at the start, in ns since the epoch. */
  #began = -Infinity;
  #timeStart: bigint;

  /**
   * Starts following.
   *
   * @throws {KernelError} when the buffers cannot be found.
   * @throws {MemoryError} when they cannot be read.
   */
  constructor(
    instance: TraceArray,
    layout: TraceLayout,
    options: FollowStart & { readonly epoch?: bigint } = {},
  ) {
    this.kernel = instance.kernel;
    this.instance = instance;
    this.#layout = layout;
    this.epoch = options.epoch ?? traceEpoch(instance, layout);
    this.#timeStart = instance.timeStart;
    const { found } = this.#look();
    this.#cpus = found.map((each) => this.#follow(each));
    // A snapshot's content is from the past, whatever start is requested.
    this.#cpus.forEach((cpu, i) => cpu.start(found[i].live ? options : {}));
    for (const cpu of this.#cpus) {
      this.#began = Math.max(this.#began, cpu.newest);
    }
  }

  #follow({ cpu, pageSize }: Found): CpuFollower {
    const arena = this.#arenas.get(pageSize) ?? new PageArena(pageSize);
    this.#arenas.set(pageSize, arena);
    const follower = new CpuFollower(
      cpu,
      arena,
      this.#layout,
      this.epoch,
      this.#rings++,
    );
    follower.onSegment = this.#sink;
    return follower;
  }

  /**
   * The buffers at this moment.
   *
   * @throws {KernelError} when they keep being exchanged.
   */
  #look(): Look {
    const { instance } = this;
    for (let tries = 0; tries < LOOK_TRIES; tries++) {
      const live = instance.buffer();
      const rest = instance.snapshotBuffer();
      const of = (buffer: RingBuffer, live: boolean): Found[] => {
        const { pageSize } = buffer;
        return buffer.cpuBuffers().map((cpu) => ({ cpu, pageSize, live }));
      };
      const found = of(live, true);
      if (rest !== undefined) found.push(...of(rest, false));
      // A buffer that was exchanged between two reads appears twice.
      const distinct = new Set(found.map(({ cpu }) => cpu.object.gva));
      if (distinct.size < found.length) continue;
      const stopped = live.object.number("record_disabled") !== 0;
      return { stopped, found };
    }
    throw new KernelError(
      "the guest exchanges its trace buffer with the snapshot's all the time; let it take fewer snapshots",
    );
  }

  /**
   * Reads what was written since the last poll, on all CPUs.
   *
   * @returns how many events were decoded.
   */
  poll(): number {
    this.kernel.space.budget.renew();
    const before = this.#decoded();
    // Set before the buffers are emptied (trace.c, tracing_reset_online_cpus).
    const { timeStart } = this.instance;
    const emptying = timeStart !== this.#timeStart;
    this.#timeStart = timeStart;
    const { stopped, found } = this.#look();
    this.#rebind(found);
    // The guest's clock is past every time stamp that was seen before.
    const passed = this.#passed;
    this.#cpus.forEach((cpu, i) => {
      const { live } = found[i];
      if (emptying && live) cpu.expectReset();
      const watch = live ? this.#watch : undefined;
      const before = watch?.now() ?? 0;
      const { columns } = cpu.queue;
      const from = columns.length;
      cpu.poll(passed, stopped || !live);
      watch?.polled(cpu.ring, columns, from, before, cpu.account.exact);
      if (cpu.newest > this.#passed) this.#passed = cpu.newest;
    });
    return this.#decoded() - before;
  }

  /**
   * Adds CPUs that came up, and handles a change of the sub-buffer size.
   * Afterwards there is one follower for each buffer found, in the same order.
   */
  #rebind(found: readonly Found[]): void {
    const known = new Map(
      this.#cpus.map((cpu) => [cpu.buffer.object.gva, cpu]),
    );
    const begin: (() => void)[] = [];
    const cpus = found.map((each) => {
      const before = known.get(each.cpu.object.gva);
      if (before?.queue.arena.slotSize === each.pageSize) return before;
      const cpu = this.#follow(each);
      const after = this.#newestOf(each.cpu.cpu);
      begin.push(() =>
        before === undefined
          // Its new events are those later than everything read so far.
          ? cpu.start({ fromBuffer: true, after })
          : cpu.succeed(before)
      );
      return cpu;
    });
    const staying = new Set(cpus);
    const gone = this.#cpus.filter((cpu) => !staying.has(cpu));
    const there = new Set(found.map(({ cpu }) => cpu.object.gva));
    for (const cpu of gone) {
      if (there.has(cpu.buffer.object.gva)) cpu.takeLast();
      // It was exchanged for another buffer: it still exists and is not written
      // to.
      else cpu.poll(this.#passed, true);
    }
    this.#cpus = cpus;
    for (const each of begin) each();
    for (const cpu of gone) cpu.queue.complete = Infinity;
    this.#leaving.push(...gone);
  }

  /** Time of the newest event read from a CPU, in ns since the epoch. */
  #newestOf(cpu: number): number {
    let newest = this.#began;
    for (const each of this.#all()) {
      if (each.buffer.cpu === cpu) newest = Math.max(newest, each.newest);
    }
    return newest;
  }

  #decoded(): number {
    let sum = 0;
    for (const cpu of this.#all()) sum += cpu.account.decoded;
    for (const account of this.#past) sum += account.decoded;
    return sum;
  }

  #all(): readonly CpuFollower[] {
    return this.#leaving.length === 0
      ? this.#cpus
      : [...this.#leaving, ...this.#cpus];
  }

  /**
   * Hands out events in time order, as long as no earlier event can still
   * arrive.
   *
   * @param visit called for each event; must not keep a reference to the row
   * @returns how many events were handed out.
   */
  drain(visit: EventVisitor, options: DrainOptions = {}): number {
    const queues = this.#all().map((cpu) => cpu.queue);
    const count = drainQueues(queues, visit, this.#handed, options);
    this.#leaving = this.#leaving.filter((cpu) => {
      if (cpu.queue.length > 0) return true;
      this.#past.push({ ...cpu.account });
      return false;
    });
    return count;
  }

  /**
   * All events up to this time (ns since the epoch) are decoded; no earlier
   * event can still arrive.
   */
  get complete(): number {
    return Math.min(...this.#all().map((cpu) => cpu.queue.complete));
  }

  /** Tells a watch of each look at a ring from now on. */
  watch(watch: PollWatch): void {
    this.#watch = watch;
  }

  /** Passes everything that is decoded from now on to `sink`. */
  keep(sink: SegmentSink): void {
    this.#sink = sink;
    for (const cpu of this.#cpus) cpu.onSegment = sink;
  }

  /** Accounts per CPU, each over all buffers followed so far. */
  accounts(): CpuAccount[] {
    const sums = new Map<number, CpuAccount>();
    const accounts = this.#all().map(({ account }) => account);
    for (const account of [...this.#past, ...accounts]) {
      const sum = sums.get(account.cpu);
      if (sum === undefined) {
        sums.set(account.cpu, { ...account });
        continue;
      }
      sum.decoded += account.decoded;
      sum.lost += account.lost;
      sum.dropped += account.dropped;
      sum.overrun += account.overrun;
      sum.resets += account.resets;
      sum.blindResets += account.blindResets;
      sum.torn += account.torn;
      sum.exact &&= account.exact;
    }
    return [...sums.values()];
  }

  /** Totals over all CPUs and all buffers followed so far. */
  totals(): FollowTotals {
    const totals: FollowTotals = {
      decoded: 0,
      lost: 0,
      dropped: 0,
      resets: 0,
      blindResets: 0,
      late: this.#handed.late,
      clockSteps: this.#handed.clockSteps,
      exact: true,
    };
    const accounts = this.#all().map((cpu) => cpu.account);
    for (const account of [...this.#past, ...accounts]) {
      totals.decoded += account.decoded;
      totals.lost += account.lost;
      totals.dropped += account.dropped;
      totals.resets += account.resets;
      totals.blindResets += account.blindResets;
      totals.exact &&= account.exact;
    }
    return totals;
  }
}

/**
 * An epoch for the columns near an instance's events: the newest page stamp of
 * any CPU, in whole seconds.
 */
export function traceEpoch(instance: TraceArray, layout: TraceLayout): bigint {
  let newest = 0n;
  const { space } = instance.kernel;
  for (const cpu of instance.buffer().cpuBuffers()) {
    const commit = cpu.object.follow("commit_page", "buffer_page");
    if (commit === undefined) continue;
    const stamp = space.u64(
      commit.u64("page") + BigInt(layout.page.timeStamp),
    );
    if (stamp > newest) newest = stamp;
  }
  return newest - newest % NS_PER_S;
}
