/**
 * Reads a target's facts out of its memory.
 *
 * @module
 */
import { KernelError, MemoryError } from "../base/errors.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events/events.ts";
import { readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import { ftraceSite } from "../kernel/patching/ftrace_site.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { readModule } from "./read_module.ts";
import {
  type Capabilities,
  type EventFact,
  type FunctionIndex,
  type FunctionState,
  shortName,
  type TargetFacts,
} from "../query/facts.ts";

/** What the facts are read from. */
export interface FactsSource {
  /** As the user names it. */
  readonly target: string;
  readonly instance: TraceArray;
  readonly events: TraceEvents;
  /** Whether the guest runs. */
  readonly live: boolean;
}

/**
 * Reads the facts.
 *
 * @throws {KernelError} when the kernel has no Ftrace.
 * @throws {MemoryError} when memory that every trace needs cannot be read.
 */
export function readFacts(source: FactsSource): TargetFacts {
  const { instance, events, live, target } = source;
  const { kernel } = instance;
  const buffer = instance.buffer();
  const cpus = buffer.cpuBuffers();
  const { ips, capacity } = orElse(
    () => readGraphRoots(kernel),
    { ips: [], capacity: 0 },
  );
  const depthAt = kernel.symbols.tryAddress("fgraph_max_depth");
  const module = live ? readModule(kernel, instance.tracer) : undefined;
  const capabilities: Capabilities = {
    writes: live,
    roots: capacity,
    depth: depthAt !== undefined,
    mute: true,
    ...(module === undefined ? {} : { module }),
  };
  return {
    target,
    kernel: kernel.facts.release,
    live,
    cpus: cpus.length,
    bufferBytes: (cpus[0]?.counters().pages ?? 0) * buffer.pageSize,
    tracer: instance.tracer,
    recording: instance.recording,
    roots: ips.map((ip) =>
      kernel.symbols.name(Number(ip & 0xffffffffn), Number(ip >> 32n))
    ).sort(),
    maxDepth: depthAt === undefined
      ? 0
      : orElse(() => kernel.space.u32(depthAt), 0),
    returnValues:
      kernel.types.tryOffset("ftrace_graph_ret_entry", "ret.retval") !==
        undefined,
    functions: functionIndex(kernel),
    events: {
      all: eventFacts(instance, events),
      format: (id) => events.format(id),
    },
    capabilities,
  };
}

/** A recording need not hold what only control writes ask for. */
function orElse<T>(read: () => T, instead: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MemoryError || error instanceof KernelError) {
      return instead;
    }
    throw error;
  }
}

function eventFacts(instance: TraceArray, events: TraceEvents): EventFact[] {
  const enabled = new Set<string>();
  for (const file of eventFiles(instance.kernel, instance.object, events)) {
    if (file.enabled && !file.softDisabled) {
      enabled.add(`${file.system}:${file.name}`);
    }
  }
  return events.all().map(({ id, system, name }) => ({
    id,
    system,
    name,
    enabled: enabled.has(`${system}:${name}`),
  }));
}

/** Symbols that are no functions of their own though they look so. */
const NO_FUNCTION =
  /^(__pfx_|__cfi_|__ksymtab|__kstrtab|__bpf_trace_|__SCT__|__SCK__|__tracepoint_|__traceiter_|__probestub_|event_|__event_|trace_event_|print_fmt_|__p_|__key\.|__func__|__syscall_meta_|types__|args__|_eil_addr_|__already_done)/;

function functionIndex(kernel: Kernel): FunctionIndex {
  const { symbols } = kernel;
  const state = (address: bigint): FunctionState => {
    try {
      const site = ftraceSite(kernel, address);
      if (site === undefined) return "untraceable";
      return site.calls ? "traced" : "idle";
    } catch (error) {
      if (error instanceof MemoryError) return "unknown";
      throw error;
    }
  };
  return {
    addresses: (name) => symbols.addresses(name),
    glob: (pattern) =>
      symbols.glob(pattern).filter((name) => {
        if (NO_FUNCTION.test(name) || name.includes(".cold")) return false;
        const at = symbols.tryAddress(name);
        return at !== undefined && state(at) !== "untraceable";
      }),
    near: (name) => symbols.near(name).map(shortName),
    state,
  };
}
