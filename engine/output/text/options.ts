/**
 * What determines how the kernel prints a trace: the trace options, and the
 * tracer's own flags.
 *
 * @module
 */

import type { Types } from "../../kernel/btf/types.ts";

/** Options of the function_graph tracer (`funcgraph-*`). */
export interface GraphOptions {
  readonly overrun: boolean;
  readonly cpu: boolean;
  readonly overhead: boolean;
  readonly proc: boolean;
  readonly duration: boolean;
  readonly abstime: boolean;
  /** The latency tracers' graphs show the time since the start instead. */
  readonly reltime: boolean;
  readonly irqs: boolean;
  readonly tail: boolean;
  readonly retval: boolean;
  readonly retvalHex: boolean;
  readonly retaddr: boolean;
  readonly args: boolean;
}

/** The defaults of the function_graph tracer. */
export const DEFAULT_GRAPH_OPTIONS: GraphOptions = {
  overrun: false,
  cpu: true,
  overhead: true,
  proc: false,
  duration: true,
  abstime: false,
  reltime: false,
  irqs: true,
  tail: false,
  retval: false,
  retvalHex: false,
  retaddr: false,
  args: false,
};

/** Options of the trace (`trace_options`) that affect its text. */
export interface TraceTextOptions {
  readonly printParent: boolean;
  readonly symOffset: boolean;
  readonly symAddr: boolean;
  readonly verbose: boolean;
  /** Numbers instead of text; see raw_entries.ts. */
  readonly raw: boolean;
  readonly hex: boolean;
  readonly bin: boolean;
  /** Events by their fields instead of their print_fmt (since 6.4). */
  readonly fields: boolean;
  /** File names instead of a user stack's addresses: not supported here. */
  readonly symUserobj: boolean;
  /** Latency tracers' entries as graphs: not supported here. */
  readonly displayGraph: boolean;
  readonly annotate: boolean;
  readonly contextInfo: boolean;
  readonly latencyFormat: boolean;
  readonly recordTgid: boolean;
  readonly irqInfo: boolean;
  readonly printk: boolean;
  readonly printkMsgOnly: boolean;
  readonly hashPtr: boolean;
  readonly graph: GraphOptions;
}

/** The kernel's defaults. */
export const DEFAULT_TEXT_OPTIONS: TraceTextOptions = {
  printParent: true,
  symOffset: false,
  symAddr: false,
  verbose: false,
  raw: false,
  hex: false,
  bin: false,
  fields: false,
  symUserobj: false,
  displayGraph: false,
  annotate: true,
  contextInfo: true,
  latencyFormat: false,
  recordTgid: false,
  irqInfo: true,
  printk: true,
  printkMsgOnly: false,
  hashPtr: true,
  graph: DEFAULT_GRAPH_OPTIONS,
};

type Flag = Exclude<keyof TraceTextOptions, "graph">;

/** Names in `trace_options` and in `enum trace_iterator_bits`. */
export const TRACE_FLAGS: readonly [Flag, string, string][] = [
  ["printParent", "print-parent", "PRINT_PARENT"],
  ["symOffset", "sym-offset", "SYM_OFFSET"],
  ["symAddr", "sym-addr", "SYM_ADDR"],
  ["verbose", "verbose", "VERBOSE"],
  ["raw", "raw", "RAW"],
  ["hex", "hex", "HEX"],
  ["bin", "bin", "BIN"],
  ["fields", "fields", "FIELDS"],
  ["symUserobj", "sym-userobj", "SYM_USEROBJ"],
  ["displayGraph", "display-graph", "DISPLAY_GRAPH"],
  ["annotate", "annotate", "ANNOTATE"],
  ["contextInfo", "context-info", "CONTEXT_INFO"],
  ["latencyFormat", "latency-format", "LATENCY_FMT"],
  ["recordTgid", "record-tgid", "RECORD_TGID"],
  ["irqInfo", "irq-info", "IRQ_INFO"],
  ["printk", "trace_printk", "PRINTK"],
  ["printkMsgOnly", "printk-msg-only", "PRINTK_MSGONLY"],
  ["hashPtr", "hash-ptr", "HASH_PTR"],
];

/** Names in `trace_options`, and bits of `tracer_flags.val`. */
export const GRAPH_FLAGS: readonly [keyof GraphOptions, string, number][] = [
  ["overrun", "funcgraph-overrun", 0x1],
  ["cpu", "funcgraph-cpu", 0x2],
  ["overhead", "funcgraph-overhead", 0x4],
  ["proc", "funcgraph-proc", 0x8],
  ["duration", "funcgraph-duration", 0x10],
  ["abstime", "funcgraph-abstime", 0x20],
  ["irqs", "funcgraph-irqs", 0x80],
  ["tail", "funcgraph-tail", 0x100],
  ["retval", "funcgraph-retval", 0x800],
  ["retvalHex", "funcgraph-retval-hex", 1 << 12],
  ["retaddr", "funcgraph-retaddr", 0x2000],
  ["args", "funcgraph-args", 0x4000],
];

/**
 * Reads the options from `trace_array.trace_flags`, whose bits are identified
 * by the kernel's own `enum trace_iterator_bits`.
 *
 * @param graph the tracer's options, from {@linkcode graphOptions}
 */
export function optionsFromFlags(
  types: Types,
  traceFlags: bigint,
  graph: GraphOptions = DEFAULT_GRAPH_OPTIONS,
): TraceTextOptions {
  const options = { ...DEFAULT_TEXT_OPTIONS };
  for (const [key, , name] of TRACE_FLAGS) {
    const bit = types.tryEnumerator(`TRACE_ITER_${name}_BIT`);
    if (bit === undefined) continue;
    options[key] = (traceFlags >> BigInt(bit) & 1n) === 1n;
  }
  return { ...options, graph };
}

/**
 * Reads the graph options from `tracer_flags.val`.
 *
 * The bits are macros (`TRACE_GRAPH_PRINT_*`), which BTF does not contain;
 * `bits` overrides them with those of the names in the guest's own `tracer_opt`
 * array.
 */
export function graphOptions(
  value: number,
  bits?: ReadonlyMap<string, number>,
): GraphOptions {
  const options = { ...DEFAULT_GRAPH_OPTIONS };
  for (const [key, name, bit] of GRAPH_FLAGS) {
    const mask = bits === undefined ? bit : bits.get(name) ?? 0;
    options[key] = (value & mask) !== 0;
  }
  return options;
}
