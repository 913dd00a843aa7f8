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
  readonly buffer: bigint;
  readonly pageSize: number;
  readonly cpus: CpuFollower[];
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
  /** Followers of buffers that were swapped away and are not drained yet. */
  #leaving: CpuFollower[] = [];
  #sink: SegmentSink | undefined;
  /** Accounts of followers that are gone. */
  readonly #past: CpuAccount[] = [];
  readonly #handed = handOut();
  #passed = -Infinity;

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
    this.#bound = this.#bind();
    for (const cpu of this.#bound.cpus) cpu.start(options);
  }

  #bind(): Bound {
    const buffer = this.instance.buffer();
    const { pageSize } = buffer;
    const arena = new PageArena(pageSize);
    return {
      buffer: buffer.object.gva,
      pageSize,
      cpus: buffer.cpuBuffers().map((cpu) =>
        new CpuFollower(cpu, arena, this.#layout, this.epoch)
      ),
    };
  }

  /**
   * Reads what was written since the last poll, on all CPUs.
   *
   * @returns how many events were decoded.
   */
  poll(): number {
    const before = this.#decoded();
    this.#rebind();
    // The guest's clock has passed every time stamp that was seen before.
    const passed = this.#passed;
    for (const cpu of this.#bound.cpus) {
      cpu.poll(passed);
      if (cpu.newest > this.#passed) this.#passed = cpu.newest;
    }
    return this.#decoded() - before;
  }

  /** Follows a snapshot swap or a change of the sub-buffers' size. */
  #rebind(): void {
    const buffer = this.instance.buffer();
    if (
      buffer.object.gva === this.#bound.buffer &&
      buffer.pageSize === this.#bound.pageSize
    ) return;
    const old = this.#bound;
    if (buffer.pageSize === old.pageSize) {
      // The swapped buffer is still there: what was not read of it yet can be.
      for (const cpu of old.cpus) cpu.poll(this.#passed);
    }
    this.#bound = this.#bind();
    for (const cpu of old.cpus) cpu.queue.complete = Infinity;
    this.#leaving.push(...old.cpus);
    // The buffer swapped in may hold an older snapshot: what is new in it is
    // what is later than all that was read.
    for (const cpu of this.#bound.cpus) {
      cpu.onSegment = this.#sink;
      cpu.start({ fromBuffer: true, after: this.#passed });
    }
  }

  #decoded(): number {
    let sum = 0;
    for (const cpu of this.#all()) sum += cpu.account.decoded;
    for (const account of this.#past) sum += account.decoded;
    return sum;
  }

  #all(): CpuFollower[] {
    return this.#leaving.length === 0
      ? this.#bound.cpus
      : [...this.#leaving, ...this.#bound.cpus];
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
      late: this.#handed.late,
      clockSteps: this.#handed.clockSteps,
      exact: true,
    };
    for (const account of [...this.#past, ...this.accounts()]) {
      totals.decoded += account.decoded;
      totals.lost += account.lost;
      totals.dropped += account.dropped;
      totals.resets += account.resets;
      totals.exact &&= account.exact;
    }
    for (const { account } of this.#leaving) {
      totals.decoded += account.decoded;
      totals.lost += account.lost;
      totals.dropped += account.dropped;
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
