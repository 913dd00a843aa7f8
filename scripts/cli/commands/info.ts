/** `xftrace info`: what a guest's kernel is and what its Ftrace does. */
import type { Command } from "@commander-js/extra-typings";
import { eventFiles } from "../../../engine/ftrace/events/events.ts";
import { readGraphRoots } from "../../../engine/ftrace/graph/graph_roots.ts";
import { readFirstPage } from "../../../engine/ftrace/ring/reader.ts";
import type { CpuCounters } from "../../../engine/ftrace/ring/ring_buffer.ts";
import { TraceArray } from "../../../engine/ftrace/ring/trace_array.ts";
import type { Session } from "../../../engine/session.ts";
import { type OpenInstance, openInstance } from "../instance.ts";
import { openTarget, type Steps, withTarget } from "../target.ts";
import { count, faint, out, outJson, size, strong } from "../terminal.ts";

/** What `info --json` prints. */
export interface Info {
  readonly target: string;
  readonly kernel: {
    readonly release: string;
    readonly banner: string;
    readonly buildId: string | null;
    /** Bytes, in hex. */
    readonly kaslrOffset: string;
    /** Bytes that lead from a GVA of the image to its GPA (`phys_base`). */
    readonly physBase: number;
    readonly pagingLevels: number;
    readonly cpus: { readonly possible: number; readonly online: number[] };
    /** Bytes of RAM. */
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
    /** Names of set_graph_function; empty: everything. */
    readonly graphRoots: string[];
    readonly options: { readonly name: string; readonly set: boolean }[];
    /** Bytes of a sub-buffer. */
    readonly pageSize: number;
    readonly buffers: (CpuCounters & { readonly cpu: number })[];
    readonly events: { readonly known: number; readonly enabled: string[] };
    readonly instances: string[];
  };
  readonly timing?: {
    readonly steps: { readonly step: string; readonly ms: number }[];
    /** From the start of attaching to the first event decoded, ms. */
    readonly attachMs: number;
  };
}

/** Collects it. */
export function collectInfo(session: Session, open: OpenInstance): Info {
  const { kernel } = session;
  const { instance, events } = open;
  const { facts, symbols } = kernel;
  const buffer = instance.buffer();
  const depth = symbols.tryAddress("fgraph_max_depth");
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

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Words in lines of at most 66 characters, indented below a name. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [""];
  for (const word of words) {
    const last = lines.length - 1;
    if (lines[last] !== "" && lines[last].length + word.length > 65) {
      lines.push(word);
    } else lines[last] += (lines[last] === "" ? "" : " ") + word;
  }
  return lines.join("\n" + " ".repeat(14));
}

function eventList(enabled: readonly string[]): string[] {
  if (enabled.length <= 24) return [...enabled];
  const bySystem = new Map<string, number>();
  for (const event of enabled) {
    const system = event.slice(0, event.indexOf(":"));
    bySystem.set(system, (bySystem.get(system) ?? 0) + 1);
  }
  return [...bySystem].map(([system, n]) => `${system}:* (${n})`);
}

/** The text of `info`. */
export function infoText(info: Info): string {
  const { kernel, ftrace } = info;
  const row = (name: string, value: string) =>
    `${strong(name.padEnd(13))} ${value}\n`;
  const set = ftrace.options.filter((o) => o.set).map((o) => o.name);
  let text = row("target", info.target) +
    row("kernel", kernel.release) +
    row("banner", wrapped(kernel.banner.split(" "))) +
    row("build id", kernel.buildId ?? "unknown") +
    row(
      "placed",
      `kaslr offset ${kernel.kaslrOffset}, phys_base ${
        hex(kernel.physBase)
      }, ${kernel.pagingLevels}-level paging`,
    ) +
    row(
      "machine",
      `${kernel.cpus.online.length} CPUs online of ${kernel.cpus.possible}, ${
        size(kernel.memory)
      } of RAM`,
    ) +
    row(
      "symbols",
      `${count(kernel.symbols)}, and ${kernel.modules.length} modules; ${
        count(kernel.types)
      } types`,
    ) +
    row(
      "found",
      `located by ${kernel.locatedBy}, described by ${kernel.describedBy}`,
    ) +
    row(
      "ftrace",
      `tracer ${ftrace.tracer}, tracing_on ${
        ftrace.recording ? 1 : 0
      }, clock ${ftrace.clock}, max_graph_depth ${ftrace.maxGraphDepth}`,
    ) +
    row(
      "graph roots",
      ftrace.graphRoots.length === 0
        ? "all functions"
        : wrapped(ftrace.graphRoots),
    ) +
    row("options", wrapped(set)) +
    row(
      "events",
      `${count(ftrace.events.known)} known, ${
        count(ftrace.events.enabled.length)
      } enabled`,
    );
  if (ftrace.events.enabled.length > 0) {
    text += row("", wrapped(eventList(ftrace.events.enabled)));
  }
  if (ftrace.instances.length > 0) {
    text += row("instances", wrapped(ftrace.instances));
  }
  text += `\n${
    faint("CPU      entries      overrun         read  dropped   size")
  }\n`;
  for (const cpu of ftrace.buffers) {
    text += String(cpu.cpu).padStart(3) + count(cpu.entries).padStart(13) +
      count(cpu.overrun).padStart(13) + count(cpu.read).padStart(13) +
      count(cpu.dropped).padStart(9) +
      size(cpu.pages * ftrace.pageSize).padStart(11) +
      (cpu.recordDisabled > 0 ? "   stopped" : "") + "\n";
  }
  if (info.timing !== undefined) {
    text += `\n${faint("step                              ms")}\n`;
    for (const { step, ms } of info.timing.steps) {
      text += step.padEnd(28) + ms.toFixed(1).padStart(8) + "\n";
    }
    text += "attach to first event".padEnd(28) +
      info.timing.attachMs.toFixed(1).padStart(8) + "\n";
  }
  return text;
}

/** Adds the command. */
export function registerInfo(program: Command): void {
  withTarget(program.command("info"))
    .summary("what the guest's kernel is, and what its Ftrace does")
    .description("Shows what the guest's kernel is, and what its Ftrace does.")
    .option("--instance <name>", "an instance in place of the top level")
    .option("--timing", "also show how long attaching took, step by step")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace info
  xftrace info -t qemu:web1 --timing
  xftrace info -t core:guest.core.zst --json | jq .ftrace.buffers`,
    )
    .action((options) => {
      const steps: Steps = [];
      const start = performance.now();
      using session = openTarget(options, { steps });
      const before = performance.now();
      const open = openInstance(session, options.instance);
      const decoded = readFirstPage(open.instance, open.layout);
      const step = decoded === 0
        ? "first event (none recorded)"
        : "first event";
      const now = performance.now();
      steps.push({ step, ms: now - before });
      const info = collectInfo(session, open);
      const shown = options.timing === true
        ? { ...info, timing: { steps, attachMs: now - start } }
        : info;
      if (options.json === true) outJson(shown);
      else out(infoText(shown));
    });
}
