/**
 * Attaches to a target: makes an open {@linkcode Session} of what the user
 * wrote.
 *
 * @module
 */
import type { RegisterReading } from "../engine/arch/registers.ts";
import {
  GuestGoneError,
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
  type ResourceRange,
} from "../engine/memory/ram_layout.ts";
import {
  type GuestEnd,
  openCoreSession,
  type Session,
  type Whereabouts,
} from "../engine/session.ts";
import { describeVm, isAlive } from "../engine/targets/discover.ts";
import { resolveTarget } from "../engine/targets/resolve.ts";
import { Proc, ProcPermissionError } from "../engine/targets/proc.ts";
import { processMemory } from "../engine/targets/qemu.ts";
import { askedPlan } from "../engine/targets/qmp_layout.ts";
import {
  isMappable,
  mapSegments,
  type PlanSegments,
  processSegments,
} from "../engine/targets/segments.ts";
import type { AttachPlan, VmBacking, VmProcess } from "../engine/targets/vm.ts";
import { MappedMemory } from "./mapped_memory.ts";
import { PluggableMemory, type RamPart } from "./pluggable_memory.ts";
import { type PlugSource, PlugWatch } from "./plug_watch.ts";
import { askRegisters } from "./monitor.ts";
import { askWhereabouts, MoveWatch } from "./whereabouts.ts";
import { existingRanges } from "./pagemap.ts";
import { QmpClient } from "./qmp.ts";
import { PreadMemory } from "./pread_memory.ts";

/** Options of {@linkcode attach}. */
export interface AttachOptions extends DescribeOptions {
  /** Open memory for control writes; default: read-only. */
  readonly writable?: boolean;
  /**
   * The guest is going to be changed once there is a plan (`makeWritable`): a
   * recording, which has no guest, is refused. Default: `writable`.
   */
  readonly steered?: boolean;
  /**
   * Read by `pread` instead of through a mapping: slower, but a truncated file
   * or a guest that ends gives an error instead of a signal.
   */
  readonly safeRead?: boolean;
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
      ? { ask }
      : { ask, environment: options.environment },
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
    cpuMs: () => new Proc().cpuMs(vm.pid),
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
    const asked = ask(vm, new Proc(), (why) => silent = why);
    if (asked === undefined) {
      throw silent === undefined
        ? error
        : new LayoutError(`${error.message}; ${silent}`);
    }
    return openFirst(resolved.target, key, [wayOf(asked)], process, options);
  }
}

/**
 * Asks QEMU's monitor for the layout; undefined when there is no monitor, or it
 * serves another client (as that of a libvirt domain always does).
 */
function ask(
  vm: VmProcess,
  proc: Proc,
  onSilent: (why: string) => void = () => {},
): AttachPlan | undefined {
  if (vm.qmpSocket === undefined || vm.libvirt) return undefined;
  try {
    using client = new QmpClient(vm.qmpSocket, undefined, vm.pid);
    return askedPlan(
      client.ask,
      processMemory(proc, vm.pid),
      proc.memPath(vm.pid),
    );
  } catch (error) {
    if (
      error instanceof XftraceError || error instanceof ProcPermissionError
    ) {
      onSilent(error.message);
      return undefined;
    }
    throw error;
  }
}

/** Opens the regions of a plan's layout, as parts of the guest's memory. */
function openParts(
  name: string,
  vm: VmProcess,
  plan: AttachPlan,
  options: AttachOptions,
): { memory: PhysicalMemory; parts: RamPart[] } {
  const backings = [...plan.backings, ...plan.spare];
  const memory = openPlan(name, vm, { ...plan, backings }, options);
  if (!isAlive(vm)) {
    // The process has ended, and its number may be another one's by now.
    memory[Symbol.dispose]();
    throw new GuestGoneError(`${name} has ended`);
  }
  const parts = plan.layout.regions.map(({ start, end, backing }) => ({
    ...{ start, end, memory },
    backing: backingKey(backings[backing]),
  }));
  return { memory, parts };
}

/** Identifies a backing in its process: by its file, or by its place. */
function backingKey({ identity, mappings }: VmBacking): string {
  const [first] = mappings;
  return identity ??
    (first === undefined ? UNKNOWN_BACKING : `@${first.start}`);
}

/** The key of a backing whose process may not be looked at. */
const UNKNOWN_BACKING = "unknown";

/** Tells where memory lies that is plugged in while a guest is open. */
function plugSource(
  name: string,
  vm: VmProcess,
  options: AttachOptions,
  writable: () => boolean,
): PlugSource {
  const proc = new Proc();
  let latest: AttachPlan | undefined;
  /** The first of the command line's plans that explains all RAM. */
  const explained = (ram: readonly ResourceRange[]) => {
    for (const plan of describeVm(vm.pid, proc)?.plans ?? []) {
      try {
        const layout = placePlugged(plan.layout, pluggedMemory(plan), ram);
        if (checkLayout(layout, ram) === undefined) return { ...plan, layout };
      } catch (error) {
        if (!(error instanceof LayoutError)) throw error;
      }
    }
    return undefined;
  };
  return {
    plan: (ram) => {
      let silent = "its QEMU has no monitor that tells where it lies";
      latest = explained(ram) ?? ask(vm, proc, (why) => silent = why);
      if (latest === undefined) throw new LayoutError(silent);
      return latest.layout;
    },
    open: (regions) => {
      if (latest === undefined) throw new LayoutError("nothing was planned");
      const layout = { ...latest.layout, regions };
      return openParts(name, vm, { ...latest, layout }, {
        ...options,
        writable: writable(),
      });
    },
    isMapped: ({ backing }) => {
      const hva = backing.startsWith("@") ? Number(backing.slice(1)) : NaN;
      try {
        return backing === UNKNOWN_BACKING ||
          proc.maps(vm.pid).some(({ identity, start, end }) =>
            identity === backing || start <= hva && hva < end
          );
      } catch (error) {
        if (!(error instanceof ProcPermissionError)) throw error;
        return true;
      }
    },
  };
}

/** The hot-plugged memory of a plan, whose GPA only the guest knows. */
function pluggedMemory(plan: AttachPlan): PluggedMemory[] {
  const { backings, plugged, spare } = plan;
  const described = (backing: number, { size, mappings }: VmBacking) => ({
    backing,
    size,
    offset: mappings[0]?.offset ?? 0,
  });
  return [
    ...plugged.map((index) => ({
      ...described(index, backings[index]),
      named: true,
    })),
    ...spare.map((one, index) => ({
      ...described(backings.length + index, one),
      named: false,
    })),
  ];
}

function openFile(
  name: string,
  { paths, identities }: Pick<PlanSegments, "paths" | "identities">,
  layout: RamLayout,
  live: boolean,
  options: AttachOptions,
): PhysicalMemory {
  const writable = options.writable ?? false;
  return options.safeRead === true
    ? new PreadMemory(name, paths, layout.regions, {
      writable,
      live,
      identities,
    })
    : new MappedMemory(
      name,
      paths.map((path, i) => ({ path, identity: identities[i] })),
      layout.regions,
      { writable, live },
    );
}

function openPlan(
  name: string,
  vm: VmProcess,
  plan: AttachPlan,
  options: AttachOptions,
): PhysicalMemory {
  if (isMappable(plan)) {
    const mapped = mapSegments(plan);
    const layout = { ...plan.layout, regions: mapped.segments };
    return openFile(name, mapped, layout, true, options);
  }
  const { paths, segments } = processSegments(plan);
  return new PreadMemory(name, paths, segments, {
    writable: options.writable ?? false,
    dataRanges: (start, end) => existingRanges(vm.pid, start, end),
  });
}

/** What is known of the process behind the memory. */
interface Running {
  /** Begins to watch for memory that is plugged in. */
  readonly watch?: (memory: PluggableMemory, kernel: Kernel) => PlugWatch;
  /** Whether it runs; `undefined` for a file, which no process belongs to. */
  readonly running: (() => boolean) | undefined;
  readonly cpuMs?: () => number;
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
  { running, cpuMs, registers, watch, whereabouts }: Running,
  options: AttachOptions,
): Session {
  let refusal: unknown;
  for (const way of ways) {
    try {
      const { memory, kernel } = openWay(way, options);
      const plugs = memory instanceof PluggableMemory
        ? watch?.(memory, kernel)
        : undefined;
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
        ...(whereabouts === undefined ? {} : { whereabouts }),
        registers: () => registers(memory, kernel),
        [Symbol.dispose]: () => memory[Symbol.dispose](),
      };
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
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
