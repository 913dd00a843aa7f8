/**
 * Compares the state of Ftrace in memory with what the guest's tracefs files
 * say, or with what a plan requested. For XF019.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { readGraphRoots } from "../../ftrace/graph/graph_roots.ts";
import { RB_BUFFER_OFF, TraceArray } from "../../ftrace/ring/trace_array.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Report, Severity } from "../finding.ts";

/** The contents of the guest's tracefs files, by name (`tracing_on`). */
export type TracefsTexts = ReadonlyMap<string, string>;

/** A value that both a tracefs file and memory hold. */
interface Fact {
  /** The value in memory, formatted as in the file. */
  readonly value: string;
  /** GVA from which the value was read. */
  readonly address: bigint;
}

/**
 * The files that can be compared.
 *
 * @example
 * ```ts
 * import { TOLD_FILES } from "xftrace/detect";
 *
 * console.log(`cd /sys/kernel/tracing && grep -H "" ${TOLD_FILES.join(" ")}`);
 * ```
 */
export const TOLD_FILES = [
  "tracing_on",
  "current_tracer",
  "max_graph_depth",
  "set_graph_function",
  "ftrace_enabled",
] as const;

/** Reports each file that contradicts memory. */
export function compareTold(
  kernel: Kernel,
  report: Report,
  told: TracefsTexts,
): void {
  for (const [name, text] of told) {
    const read = FACTS[name];
    if (read === undefined) {
      report.unjudged(
        `tracefs' ${name}`,
        `only ${TOLD_FILES.join(", ")} are compared with memory`,
      );
      continue;
    }
    report.part(`tracefs' ${name}`, () => {
      const { value, address } = read(kernel);
      const said = normal(name, text);
      report.judged(1);
      if (said === value) {
        report.known(`the guest says ${name} is ${said}, as memory does`);
        return;
      }
      report.finding({
        severity: SEVERITY[name] ?? "critical",
        where: `tracefs' ${name}`,
        address,
        expected: `${said} (what the guest says)`,
        found: `${value} (what its memory says)`,
        summary:
          `the guest says through tracefs that ${name} is ${said}, but in memory it is ${value}`,
      });
    });
  }
}

const SEVERITY: Readonly<Record<string, Severity>> = {
  max_graph_depth: "high",
  set_graph_function: "high",
};

const FACTS: Readonly<Record<string, (kernel: Kernel) => Fact>> = {
  tracing_on: (kernel) => {
    const { object } = TraceArray.global(kernel).buffer();
    const off = (object.number("record_disabled") & RB_BUFFER_OFF) !== 0;
    return { value: off ? "0" : "1", address: object.at("record_disabled") };
  },
  current_tracer: (kernel) => {
    const { tracer, object } = TraceArray.global(kernel);
    return { value: tracer, address: object.at("current_trace") };
  },
  max_graph_depth: (kernel) => number(kernel, "fgraph_max_depth"),
  ftrace_enabled: (kernel) => number(kernel, "ftrace_enabled"),
  set_graph_function: (kernel) => ({
    value: names(
      readGraphRoots(kernel).ips.map((gva) =>
        kernel.symbols.lookup(gva)?.name ?? hex(gva)
      ),
    ),
    address: kernel.symbols.address("ftrace_graph_hash"),
  }),
};

function number(kernel: Kernel, symbol: string): Fact {
  const address = kernel.symbols.tryAddress(symbol);
  if (address === undefined) {
    throw new KernelError(`the kernel has no ${symbol}`);
  }
  return { value: String(kernel.space.u32(address)), address };
}

const names = (list: readonly string[]) =>
  list.length === 0 ? "all functions" : [...list].sort().join(" ");

/** The text of a file, in the format of {@linkcode Fact.value}. */
function normal(name: string, text: string): string {
  if (name !== "set_graph_function") return text.trim();
  // The file holds "#### all functions enabled ####", or one function per line.
  return names(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(" ")[0]),
  );
}

/**
 * Parses the output of `grep -H "" tracing_on current_tracer`: file name,
 * colon, and a line of the file.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { parseTracefs } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const told = parseTracefs("tracing_on:0\ncurrent_tracer:nop\n");
 * const { outcomes } = await guest.check({ only: ["XF019"], tracing: { told } });
 * console.log(outcomes[0].findings.length);
 * ```
 */
export function parseTracefs(text: string): TracefsTexts {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, path, rest] = /^([^:\s]+):(.*)$/.exec(line) ?? [];
    if (path === undefined || rest === undefined) continue;
    const name = path.replace(/^.*\//, "");
    found.set(name, `${found.get(name) ?? ""}${rest}\n`);
  }
  return found;
}
