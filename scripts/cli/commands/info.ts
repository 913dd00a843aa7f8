/** `xftrace info`: describes a guest's kernel and the state of its Ftrace. */
import type { Command } from "@commander-js/extra-typings";
import { type Guest, type GuestInfo, shown } from "xftrace";
import { openInstance, readFirstPage } from "xftrace/ftrace";
import { openGuest, type Steps, withTarget } from "../target.ts";
import { count, faint, out, outJson, size, strong } from "../terminal.ts";
import { whileThere } from "../while_there.ts";

/** What `info --json` prints. */
export interface Info extends GuestInfo {
  readonly timing?: {
    readonly steps: { readonly step: string; readonly ms: number }[];
    /** From the start of attaching to the first event decoded, ms. */
    readonly attachMs: number;
  };
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Words, escaped, in lines of at most 66 characters, indented below a name. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [""];
  for (const word of words.map(shown)) {
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

/** Formats the output of `info` as text. */
export function infoText(info: Info): string {
  const { kernel, ftrace } = info;
  const row = (name: string, value: string) =>
    `${strong(name.padEnd(13))} ${value}\n`;
  const set = ftrace.options.filter((o) => o.set).map((o) => o.name);
  let text = row("target", shown(info.target)) +
    row("kernel", shown(kernel.release)) +
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
      shown(
        `located by ${kernel.locatedBy}, described by ${kernel.describedBy}`,
      ),
    ) +
    row(
      "ftrace",
      shown(
        `tracer ${ftrace.tracer}, tracing_on ${
          ftrace.recording ? 1 : 0
        }, clock ${ftrace.clock}, max_graph_depth ${ftrace.maxGraphDepth}`,
      ),
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

/** Registers `xftrace info` on the program. */
export function registerInfo(program: Command): void {
  withTarget(program.command("info"))
    .summary("describe the guest's kernel and the state of its Ftrace")
    .description("Describes the guest's kernel and the state of its Ftrace.")
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
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
    .action(async (options) => {
      const steps: Steps = [];
      const start = performance.now();
      using guest = await openGuest(options, { steps });
      const before = performance.now();
      const described = await whileThere(
        guest.session,
        "read",
        () => describe(guest),
      );
      if (options.json === true) outJson(described);
      else out(infoText(described));

      function describe(guest: Guest): Info {
        const open = openInstance(guest.session, options.instance);
        const decoded = readFirstPage(open.instance, open.layout);
        const step = decoded === 0
          ? "first event (none recorded)"
          : "first event";
        const now = performance.now();
        steps.push({ step, ms: now - before });
        const info = guest.info(options.instance);
        return options.timing === true
          ? { ...info, timing: { steps, attachMs: now - start } }
          : info;
      }
    });
}
