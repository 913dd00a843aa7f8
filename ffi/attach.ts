/**
 * Attaches to a target: makes an open {@linkcode Session} of what the user
 * wrote.
 *
 * @module
 */
import type { RegisterReading } from "../engine/arch/registers.ts";
import { BudgetError } from "../engine/base/budget.ts";
import {
  GuestGoneError,
  KernelError,
  MemoryError,
  XftraceError,
} from "../engine/base/errors.ts";
import {
  describeKernel,
  type DescribeOptions,
} from "../engine/kernel/locate/describe.ts";
import type { Kernel } from "../engine/kernel/core/kernel.ts";
import { readableRam, systemRam } from "../engine/kernel/objects/resources.ts";
import { totalBytes } from "../engine/memory/elf_core_ranges.ts";
import {
  type PhysicalMemory,
  recordingRefusal,
} from "../engine/memory/physical_memory.ts";
import {
  checkLayout,
  LayoutError,
  placePlugged,
  type PluggedMemory,
  type RamLayout,
} from "../engine/memory/ram_layout.ts";
import {
  type GuestEnd,
  openCoreSession,
  type Session,
  type Whereabouts,
} from "../engine/session.ts";
import { isAlive } from "../engine/targets/discover.ts";
import { resolveTarget } from "../engine/targets/resolve.ts";
import { Proc } from "../engine/targets/proc.ts";
import { processorTimes } from "../engine/targets/processor_times.ts";
import type { AttachPlan } from "../engine/targets/vm.ts";
import { askRegisters } from "./monitor.ts";
import {
  askPlan,
  type MemoryOptions,
  openFile,
  openParts,
  pluggedMemory,
  plugSource,
} from "./open_plan.ts";
import { PluggableMemory } from "./pluggable_memory.ts";
import { PlugWatch } from "./plug_watch.ts";
import { askWhereabouts, MoveWatch } from "./whereabouts.ts";

/** Options of {@linkcode attach}. */
export interface AttachOptions extends DescribeOptions, MemoryOptions {
  /**
   * The guest is going to be changed once there is a plan (`makeWritable`): a
   * recording, which has no guest, is refused. Default: `writable`.
   */
  readonly steered?: boolean;
  /**
   * Path of a QMP socket of the VM's QEMU, if it is not on its command line or
   * another one should be used.
   */
  readonly monitor?: string;
  /** The value of XFTRACE_TARGET, used when no target is given. */
  readonly environment?: string;
}

/** One possible RAM layout of a target, and how to open its memory. */
interface Way {
  readonly open: (layout: RamLayout) => PhysicalMemory;
  readonly layout: RamLayout;
  /** Hot-plugged memory, whose GPA only the guest knows; see AttachPlan. */
  readonly plugged?: readonly PluggedMemory[];
}

/**
 * Opens a target: `qemu:NAME`, `pid:N`, `file:PATH`, `core:PATH`, or the only
 * VM that runs.
 *
 * @throws {XftraceError} one sentence: what is missing and what to do.
 */
export function attach(
  target: string | undefined,
  options: AttachOptions = {},
): Session {
  const resolved = resolveTarget(
    target,
    options.environment === undefined
      ? { ask: askPlan }
      : { ask: askPlan, environment: options.environment },
  );
  if (resolved.kind === "core") {
    if (options.steered ?? options.writable) {
      throw new XftraceError(recordingRefusal(resolved.target));
    }
    return openCoreSession(resolved.target, resolved.path, options);
  }
  if (resolved.kind === "file") {
    const ways = resolved.layouts.map((layout) => ({
      layout,
      open: () =>
        openFile(
          resolved.target,
          { paths: [resolved.path], identities: [undefined] },
          layout,
          false,
          options,
        ),
    }));
    return openFirst(resolved.target, undefined, ways, {
      running: undefined,
      registers: () =>
        Promise.resolve({
          why: "a memory file does not tell which QEMU it belongs to",
        }),
    }, options);
  }
  const { vm } = resolved;
  const wayOf = (plan: AttachPlan): Way => ({
    layout: plan.layout,
    plugged: pluggedMemory(plan),
    open: (layout: RamLayout) => {
      const parts = openParts(
        resolved.target,
        vm,
        { ...plan, layout },
        options,
      );
      return new PluggableMemory(parts.memory, parts.parts);
    },
  });
  const ways = vm.plans.map(wayOf);
  const key = `vm-${vm.pid}-${vm.startTime}`;
  const process: Running = {
    running: () => isAlive(vm),
    ...processorTimes(vm.pid),
    whereabouts: () => askWhereabouts(vm, options.monitor),
    watch: (memory, kernel) =>
      new PlugWatch(
        memory,
        kernel,
        plugSource(resolved.target, vm, options, () => memory.writable),
      ),
    registers: (memory, { arch }) =>
      askRegisters(vm, memory, arch.registers, options.monitor),
  };
  try {
    return openFirst(resolved.target, key, ways, process, options);
  } catch (error) {
    if (!(error instanceof LayoutError)) throw error;
    let silent: string | undefined;
    const asked = askPlan(vm, new Proc(), (why) => silent = why);
    if (asked === undefined) {
      throw silent === undefined
        ? error
        : new LayoutError(`${error.message}; ${silent}`);
    }
    return openFirst(resolved.target, key, [wayOf(asked)], process, options);
  }
}

/** What is known of the process behind the memory. */
interface Running {
  /** Begins to watch for memory that is plugged in. */
  readonly watch?: (memory: PluggableMemory, kernel: Kernel) => PlugWatch;
  /** Whether it runs; `undefined` for a file, which no process belongs to. */
  readonly running: (() => boolean) | undefined;
  readonly cpuMs?: () => number;
  readonly waitMs?: () => number;
  readonly whereabouts?: () => Whereabouts;
  readonly registers: (
    memory: PhysicalMemory,
    kernel: Kernel,
  ) => Promise<RegisterReading>;
}

/** Opens the first way whose layout the kernel confirms. */
function openFirst(
  target: string,
  key: string | undefined,
  ways: readonly Way[],
  { running, cpuMs, waitMs, registers, watch, whereabouts }: Running,
  options: AttachOptions,
): Session {
  let refusal: unknown;
  for (const way of ways) {
    try {
      const { memory, kernel } = openWay(way, options);
      const plugs = memory instanceof PluggableMemory
        ? watch?.(memory, kernel)
        : undefined;
      if (cpuMs !== undefined) {
        kernel.origin?.measure({ cpuMs, waitMs: waitMs ?? (() => 0) });
      }
      const moved = whereabouts && new MoveWatch(kernel, whereabouts);
      const end = () => {
        if (running === undefined) return undefined;
        const found = endOf(memory, kernel, running);
        if (found !== undefined) return found;
        if (moved?.look() === true) return "migrated";
        if (kernel.origin?.life() === "runs") plugs?.look();
        return undefined;
      };
      return {
        target,
        key,
        memory,
        get ramBytes() {
          return totalBytes(memory.ranges);
        },
        unreadRam: () => plugs?.lookNow(),
        kernel,
        alive: () => running !== undefined && end() === undefined,
        end,
        ...(cpuMs === undefined ? {} : { cpuMs }),
        ...(waitMs === undefined ? {} : { waitMs }),
        ...(whereabouts === undefined ? {} : { whereabouts }),
        ...(moved === undefined ? {} : { paused: () => moved.paused }),
        registers: () => registers(memory, kernel),
        [Symbol.dispose]: () => memory[Symbol.dispose](),
      };
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      refusal ??= error;
    }
  }
  throw running?.() === true ? perhapsStarting(target, refusal) : refusal;
}

/**
 * The error of a guest that runs, but whose kernel cannot be read: it may be
 * starting it, as while it is restarted.
 */
function perhapsStarting(target: string, error: unknown): unknown {
  const unread = error instanceof KernelError || error instanceof MemoryError;
  if (!unread || error instanceof BudgetError) return error;
  return new KernelError(
    `${target}: its kernel cannot be read: ${error.message}; if the guest is just starting or restarting, try again when it is up`,
    { cause: error },
  );
}

/** Why the guest that was opened is no longer there. */
function endOf(
  memory: PhysicalMemory,
  { origin }: Kernel,
  running: () => boolean,
): GuestEnd | undefined {
  if (!running()) return "ended";
  if (memory.intact === false) return "cut short";
  try {
    return origin?.life() === "other" ? "restarted" : undefined;
  } catch (error) {
    if (!(error instanceof MemoryError || error instanceof GuestGoneError)) {
      throw error;
    }
    return running() ? "cut short" : "ended";
  }
}

/**
 * Opens one way; again when there is hot-plugged memory, to find its place first:
 * what tells its place may lie in such memory itself.
 */
function openWay(
  way: Way,
  options: AttachOptions,
): { memory: PhysicalMemory; kernel: Kernel } {
  const memory = way.open(way.layout);
  try {
    const kernel = describeKernel(memory, options);
    // The kernel lies in boot memory, so it can be read before the rest is
    // placed.
    const { ram, missing } = readableRam(kernel);
    const layout = placePlugged(way.layout, way.plugged ?? [], ram);
    if (layout === way.layout) {
      if (missing !== undefined) {
        throw new LayoutError(
          `the RAM layout of ${memory.name} cannot be told: ${missing.message}`,
        );
      }
      requireLayout(kernel, way.layout);
      return { memory, kernel };
    }
    memory[Symbol.dispose]();
    return openWay({ ...way, layout }, options);
  } catch (error) {
    memory[Symbol.dispose]();
    throw error;
  }
}

/** Refuses a layout that contradicts the guest's resource tree. */
function requireLayout(kernel: Kernel, layout: RamLayout): void {
  const mismatch = checkLayout(layout, systemRam(kernel));
  if (mismatch !== undefined) {
    throw new LayoutError(
      `the RAM layout of ${kernel.memory.name} is not understood: ${mismatch}`,
    );
  }
}
