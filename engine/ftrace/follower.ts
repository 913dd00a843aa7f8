/**
 * Follows all CPUs' ring buffers of an instance and hands their events out in
 * time order.
 *
 * @module
 */
import type { Kernel } from "../kernel/kernel.ts";
import { PageArena } from "./columns.ts";
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

/** Sums over all CPUs of what a follower has accounted for. */
export interface FollowTotals {
  /** Events decoded. */
  decoded: number;
  /** Events written by the guest that could not be read. */
  lost: number;
  /** Events the guest itself could not write. */
  dropped: number;
  /** Times that the guest emptied a CPU's buffer. */
  resets: number;
  /**
   * Of these, the times that the buffer was not seen at rest before: events
   * that the guest threw away unread then are in no count.
   */
  blindResets: number;
  /** Events handed out after a later one of another CPU. */
  late: number;
  /**
   * Times that a CPU's own clock stepped back between two events. The guest's
   * clock does that (the `global` trace clock of a guest whose TSC is not
   * stable), and the guest's own trace files show it too.
   */
  clockSteps: number;
  /** Whether `decoded + lost` equalled the guest's counts at the last poll. */
  exact: boolean;
}

const NS_PER_S = 1_000_000_000n;

/** One buffer (a `trace_buffer`) with a follower for each of its CPUs. */
interface Bound {
  readonly pageSize: number;
  readonly arena: PageArena;
  readonly cpus: readonly CpuFollower[];
}

/**
 * A follower of one instance. `poll` reads; `drain` hands out, in time order,
 * what can no longer be preceded by an event that is still to come.
 */
export class Follower {
  readonly kernel: Kernel;
  readonly instance: TraceArray;
  /** What the columns' times count from, in ns of the trace clock. */
  readonly epoch: bigint;
  readonly #layout: TraceLayout;
  #bound: Bound;
  /** Followers of buffers that were swapped away, and may come back. */
  #parked: CpuFollower[] = [];
  /** Followers of buffers that are gone, not drained yet. */
  #leaving: CpuFollower[] = [];
  #sink: SegmentSink | undefined;
  /** Accounts of followers that are gone. */
  readonly #past: CpuAccount[] = [];
  readonly #handed = handOut();
  #passed = -Infinity;
  /** Time of the newest event at the start, ns since epoch. */
  #began = -Infinity;
  #timeStart: bigint;

  /**
   * Begins to follow.
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
    const buffer = instance.buffer();
    const { pageSize } = buffer;
    const arena = new PageArena(pageSize);
    const cpus = buffer.cpuBuffers().map((cpu) =>
      new CpuFollower(cpu, arena, layout, this.epoch)
    );
    this.#bound = { pageSize, arena, cpus };
    for (const cpu of cpus) cpu.start(options);
    for (const cpu of cpus) this.#began = Math.max(this.#began, cpu.newest);
  }

  /**
   * Reads what was written since the last poll, on all CPUs.
   *
   * @returns how many events were decoded.
   */
  poll(): number {
    const before = this.#decoded();
    const buffer = this.instance.buffer();
    // Set before the buffers are emptied (trace.c, tracing_reset_online_cpus).
    const { timeStart } = this.instance;
    const emptying = timeStart !== this.#timeStart;
    this.#timeStart = timeStart;
    this.#rebind(buffer);
    const stopped = buffer.object.number("record_disabled") !== 0;
    // The guest's clock has passed every time stamp that was seen before.
    const passed = this.#passed;
    for (const cpu of this.#bound.cpus) {
      if (emptying) cpu.expectReset();
      cpu.poll(passed, stopped);
      if (cpu.newest > this.#passed) this.#passed = cpu.newest;
    }
    return this.#decoded() - before;
  }

  /**
   * Follows a snapshot's swap of all buffers or of one CPU's, a CPU that came
   * up, and a change of the sub-buffers' size.
   */
  #rebind(buffer: RingBuffer): void {
    const { pageSize } = buffer;
    const old = this.#bound;
    const resized = pageSize !== old.pageSize;
    const now = buffer.cpuBuffers();
    const known = new Map(old.cpus.map((cpu) => [cpu.buffer.object.gva, cpu]));
    const same = (cpu: CpuBuffer) => known.get(cpu.object.gva);
    if (
      !resized && now.length === old.cpus.length &&
      now.every((cpu) => same(cpu) !== undefined)
    ) return;
    const arena = resized ? new PageArena(pageSize) : old.arena;
    const fresh: { cpu: CpuFollower; begin: () => void }[] = [];
    const cpus = now.map((found) => {
      const before = same(found);
      if (before !== undefined && !resized) return before;
      const parked = this.#parked.find((cpu) =>
        cpu.buffer.object.gva === found.object.gva
      );
      if (parked !== undefined) {
        this.#parked = this.#parked.filter((cpu) => cpu !== parked);
        if (!resized && parked.resume()) return parked;
        this.#leaving.push(parked);
      }
      const cpu = new CpuFollower(found, arena, this.#layout, this.epoch);
      cpu.onSegment = this.#sink;
      const after = this.#newestOf(found.cpu);
      fresh.push({
        cpu,
        begin: () =>
          before === undefined
            // What is new in it is what is later than all that was read: it
            // may hold an older snapshot.
            ? cpu.start({ fromBuffer: true, after })
            : cpu.succeed(before),
      });
      return cpu;
    });
    const gone = old.cpus.filter((cpu) => !cpus.includes(cpu));
    for (const cpu of gone) {
      // A buffer that was swapped away is still there, and at rest.
      if (resized) cpu.takeLast();
      else cpu.poll(this.#passed, true);
    }
    this.#bound = { pageSize, arena, cpus };
    for (const { begin } of fresh) begin();
    for (const cpu of gone) cpu.queue.complete = Infinity;
    if (resized) this.#leaving.push(...gone);
    else this.#parked.push(...gone);
  }

  /** Time of the newest event that was read of a CPU, ns since epoch. */
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
    return this.#leaving.length === 0 && this.#parked.length === 0
      ? this.#bound.cpus
      : [...this.#leaving, ...this.#parked, ...this.#bound.cpus];
  }

  /**
   * Hands out events in time order, as far as no earlier one can still come.
   *
   * @param visit called for each event; must not keep the row
   * @returns how many were handed out.
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
   * All events up to this time (ns since epoch) are decoded; none earlier can
   * still come.
   */
  get complete(): number {
    return Math.min(...this.#all().map((cpu) => cpu.queue.complete));
  }

  /** Has all that is decoded told to `sink`, from now on. */
  keep(sink: SegmentSink): void {
    this.#sink = sink;
    for (const cpu of this.#bound.cpus) cpu.onSegment = sink;
  }

  /** Accounts per CPU of the buffer that is followed now. */
  accounts(): CpuAccount[] {
    return this.#bound.cpus.map((cpu) => ({ ...cpu.account }));
  }

  /** Sums over all CPUs and all buffers followed. */
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
 * A time near an instance's events for their columns to count from: the
 * newest page stamp of any CPU, in whole seconds.
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
