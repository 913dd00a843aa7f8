/**
 * Describes a guest's kernel and what its Ftrace is doing.
 *
 * @module
 */
import { checkNameLists } from "../kernel/symbols/required.ts";
import { eventFiles } from "../ftrace/events/events.ts";
import { graphDepthAt, readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import type { OpenInstance } from "../ftrace/ring/open_instance.ts";
import type { CpuCounters } from "../ftrace/ring/ring_buffer.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { checkOptions } from "../output/text/trace_meta.ts";
import type { Session } from "../session.ts";

/** A guest's kernel, and what its Ftrace is doing. */
export interface GuestInfo {
  readonly target: string;
  readonly kernel: {
    readonly release: string;
    readonly banner: string;
    readonly buildId: string | null;
    /** Hexadecimal, in bytes. */
    readonly kaslrOffset: string;
    /**
     * The offset in bytes from a GVA of the kernel image to its GPA
     * (`phys_base`).
     */
    readonly physBase: number;
    readonly pagingLevels: number;
    readonly cpus: { readonly possible: number; readonly online: number[] };
    /** Size of RAM in bytes. */
    readonly memory: number;
    readonly symbols: number;
    readonly modules: string[];
    readonly types: number;
    readonly locatedBy: string;
    readonly describedBy: string;
  };
  readonly ftrace: {
    readonly tracer: string;
    readonly recording: boolean;
    readonly clock: string;
    readonly maxGraphDepth: number;
    /** The functions in set_graph_function; empty: all functions. */
    readonly graphRoots: string[];
    readonly options: { readonly name: string; readonly set: boolean }[];
    /** Size of a sub-buffer in bytes. */
    readonly pageSize: number;
    readonly buffers: (CpuCounters & { readonly cpu: number })[];
    readonly events: { readonly known: number; readonly enabled: string[] };
    readonly instances: string[];
  };
}

/**
 * Collects the description of a guest.
 *
 * @param open the instance of Ftrace to be described
 * @throws {KernelError | MemoryError} when the guest cannot be understood.
 */
export function collectInfo(
  session: Pick<Session, "target" | "kernel" | "ramBytes">,
  open: OpenInstance,
): GuestInfo {
  const { kernel } = session;
  const { instance, events } = open;
  const { facts, symbols } = kernel;
  const buffer = instance.buffer();
  const depth = graphDepthAt(kernel);
  checkNameLists(kernel);
  checkOptions(instance);
  const name = (gva: bigint) =>
    symbols.name(Number(gva & 0xffffffffn), Number(gva >> 32n));
  return {
    target: session.target,
    kernel: {
      release: facts.release,
      banner: facts.banner,
      buildId: facts.buildId ?? null,
      kaslrOffset: `0x${facts.kaslrOffset.toString(16)}`,
      physBase: facts.physBase,
      pagingLevels: kernel.space.tables.levels,
      cpus: {
        possible: kernel.cpuIds,
        online: kernel.cpuMask("__cpu_online_mask"),
      },
      memory: session.ramBytes,
      symbols: symbols.count,
      modules: kernel.live.modules.map((module) => module.name),
      types: kernel.types.count,
      locatedBy: facts.locatedBy,
      describedBy: facts.describedBy,
    },
    ftrace: {
      tracer: instance.tracer,
      recording: instance.recording,
      clock: instance.clock.name,
      maxGraphDepth: depth === undefined ? 0 : kernel.space.u32(depth),
      graphRoots: readGraphRoots(kernel).ips.map(name),
      options: instance.options(),
      pageSize: buffer.pageSize,
      buffers: buffer.cpuBuffers().map((cpu) => ({
        cpu: cpu.cpu,
        ...cpu.counters(),
      })),
      events: {
        known: events.all().length,
        enabled: eventFiles(kernel, instance.object, events)
          .filter((file) => file.enabled)
          .map((file) =>
            `${file.system}:${file.name}${file.softDisabled ? " (muted)" : ""}`
          ),
      },
      instances: TraceArray.all(kernel).map((one) => one.name)
        .filter((one) => one !== undefined),
    },
  };
}
