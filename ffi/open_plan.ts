/**
 * Opens the memory that a plan describes, and finds out where memory lies that is
 * plugged in later.
 *
 * @module
 */
import { GuestGoneError, XftraceError } from "../engine/base/errors.ts";
import type { PhysicalMemory } from "../engine/memory/physical_memory.ts";
import {
  checkLayout,
  LayoutError,
  placePlugged,
  type PluggedMemory,
  type RamLayout,
  type ResourceRange,
} from "../engine/memory/ram_layout.ts";
import { describeVm, isAlive } from "../engine/targets/discover.ts";
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
import { existingRanges } from "./pagemap.ts";
import type { RamPart } from "./pluggable_memory.ts";
import type { PlugSource } from "./plug_watch.ts";
import { PreadMemory } from "./pread_memory.ts";
import { QmpClient } from "./qmp.ts";

/** How memory is opened. */
export interface MemoryOptions {
  /** Open memory for control writes; default: read-only. */
  readonly writable?: boolean;
  /**
   * Read by `pread` instead of through a mapping: slower, but a truncated file
   * or a guest that ends gives an error instead of a signal.
   */
  readonly safeRead?: boolean;
}

/**
 * Asks QEMU's monitor for the layout; undefined when there is no monitor, or it
 * serves another client (as that of a libvirt domain always does).
 */
export function askPlan(
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
export function openParts(
  name: string,
  vm: VmProcess,
  plan: AttachPlan,
  options: MemoryOptions,
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
export function plugSource(
  name: string,
  vm: VmProcess,
  options: MemoryOptions,
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
      latest = explained(ram) ?? askPlan(vm, proc, (why) => silent = why);
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
export function pluggedMemory(plan: AttachPlan): PluggedMemory[] {
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

/** Opens memory that lies in files. */
export function openFile(
  name: string,
  { paths, identities }: Pick<PlanSegments, "paths" | "identities">,
  layout: RamLayout,
  live: boolean,
  options: MemoryOptions,
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
  options: MemoryOptions,
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
