/**
 * What determines how the kernel prints a trace: the trace options, and the
 * tracer's own flags.
 *
 * @module
 */

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

/** None: what a tracer without such options leaves of a graph. */
export const NO_GRAPH_OPTIONS: GraphOptions = {
  ...DEFAULT_GRAPH_OPTIONS,
  cpu: false,
  overhead: false,
  duration: false,
  irqs: false,
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
  /** Bitmasks as lists of ranges (seen in 7.2.13). */
  readonly bitmaskList: boolean;
  readonly graph: GraphOptions;
  /**
   * Options that are set and of which it is not known how they change the text.
   */
  readonly unknown?: readonly string[];
  /** Kinds of entries of this kernel's tracers that are not known. */
  readonly unknownEntries?: readonly string[];
  /**
   * Whether the kernel shows for a pointer to a string (option `fields`) where
   * its reader keeps the entry, and not the pointer: seen in 7.2.13 (`0x%px` of
   * `pos` in print_fields), not in 6.12.
   */
  readonly showsReader?: boolean;
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
  bitmaskList: false,
  graph: DEFAULT_GRAPH_OPTIONS,
};

/** An option of the trace that is on or off. */
export type TextFlag = Exclude<
  keyof TraceTextOptions,
  "graph" | "unknown" | "unknownEntries" | "showsReader"
>;

/** Names in `trace_options` and in `enum trace_iterator_bits`. */
export const TRACE_FLAGS: readonly [TextFlag, string, string][] = [
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
  ["bitmaskList", "bitmask-list", "BITMASK_LIST"],
];

/** Those that not every kernel has, and since when. */
export const OPTIONAL_FLAGS: ReadonlyMap<TextFlag, string> = new Map<
  TextFlag,
  string
>([
  // "tracing: Add "fields" option to show raw trace event fields", 6.4.
  ["fields", "6.4"],
  // "tracing: Add ptr-hash option to show the hashed pointer value", 5.12.
  ["hashPtr", "5.12"],
  // trace.h of 7.2 has it, that of 6.12 has not.
  ["bitmaskList", "7.0"],
]);

/**
 * Options that decide what is recorded, or how the buffers are used, but not
 * how entries are printed.
 */
export const SILENT_OPTIONS: ReadonlySet<string> = new Set([
  "block",
  "userstacktrace",
  "record-cmd",
  "overwrite",
  "disable_on_free",
  "markers",
  "event-fork",
  "trace_printk_dest",
  "copy_trace_marker",
  "pause-on-trace",
  "function-trace",
  "function-fork",
  "stacktrace",
  "graph-time",
  "sleep-time",
  "prof-text-offset",
  "branch",
]);

/** Names in `trace_options`. */
export const GRAPH_FLAGS: readonly [keyof GraphOptions, string][] = [
  ["overrun", "funcgraph-overrun"],
  ["cpu", "funcgraph-cpu"],
  ["overhead", "funcgraph-overhead"],
  ["proc", "funcgraph-proc"],
  ["duration", "funcgraph-duration"],
  ["abstime", "funcgraph-abstime"],
  ["irqs", "funcgraph-irqs"],
  ["tail", "funcgraph-tail"],
  ["retval", "funcgraph-retval"],
  ["retvalHex", "funcgraph-retval-hex"],
  ["retaddr", "funcgraph-retaddr"],
  ["args", "funcgraph-args"],
];

/**
 * Those that not every kernel has: FUNCTION_GRAPH_RETVAL (6.5),
 * FUNCTION_GRAPH_RETADDR (6.13) and FUNCTION_TRACE_ARGS (6.15) can be left out
 * of a kernel.
 */
export const OPTIONAL_GRAPH_FLAGS: ReadonlySet<keyof GraphOptions> = new Set<
  keyof GraphOptions
>(["retval", "retvalHex", "retaddr", "args"]);
