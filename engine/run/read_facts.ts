/**
 * Reads the facts about a target from its memory.
 *
 * @module
 */
import { MemoryError } from "../base/errors.ts";
import { eventFiles, type TraceEvents } from "../ftrace/events/events.ts";
import { graphDepthAt, readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import { steady } from "../kernel/core/lists.ts";
import { functionIndex } from "../kernel/functions/index.ts";
import type { TraceArray } from "../ftrace/ring/trace_array.ts";
import { readModuleFacts } from "./read_module.ts";
import type { Capabilities, EventFact, TargetFacts } from "../query/facts.ts";

/** Where the facts are read from. */
export interface FactsSource {
  /** As the user names it. */
  readonly target: string;
  readonly instance: TraceArray;
  readonly events: TraceEvents;
  /** Whether the guest is running. */
  readonly live: boolean;
}

/**
 * Reads the facts.
 *
 * @throws {KernelError} when the kernel has no Ftrace, or keeps what limits a
 * graph where xftrace does not know.
 * @throws {MemoryError} when memory that every trace needs cannot be read.
 */
export function readFacts(source: FactsSource): TargetFacts {
  const { instance, events, live, target } = source;
  const { kernel } = instance;
  const buffer = instance.buffer();
  const cpus = buffer.cpuBuffers();
  const { ips, capacity } = orElse(
    () => steady(() => readGraphRoots(kernel), live ? 6 : 1),
    { ips: [], capacity: 0 },
  );
  const depthAt = graphDepthAt(kernel);
  const module = live ? readModuleFacts(kernel, instance.tracer) : undefined;
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

/** A recording may lack memory that is needed only for changing the guest. */
function orElse<T>(read: () => T, instead: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MemoryError) return instead;
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
