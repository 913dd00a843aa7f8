/**
 * What of a kernel's configuration shows in its symbols and types.
 *
 * @module
 */
import type { Kernel } from "../kernel/core/kernel.ts";
import { ticksPerSecond } from "../output/text/trace_meta.ts";

/** An option of the configuration, and what shows it. */
export interface ConfigFact {
  readonly name: string;
  readonly value: boolean | number;
  readonly by: string;
}

/** Symbols that a kernel has if, and only if, it was built with an option. */
const BY_SYMBOL: readonly (readonly [config: string, symbol: string])[] = [
  ["BPF_JIT", "bpf_jit_enable"],
  ["BPF_SYSCALL", "bpf_prog_new_fd"],
  ["CFI_CLANG", "report_cfi_failure"],
  ["DYNAMIC_FTRACE", "ftrace_pages_start"],
  ["EVENT_TRACING", "ftrace_events"],
  ["FPROBE", "register_fprobe"],
  ["FTRACE_SYSCALLS", "event_class_syscall_enter"],
  ["FUNCTION_GRAPH_TRACER", "ftrace_graph_hash"],
  ["FUNCTION_TRACER", "ftrace_ops_list"],
  ["HAVE_STATIC_CALL_INLINE", "static_call_mutex"],
  ["IKCONFIG", "kernel_config_data"],
  ["JUMP_LABEL", "jump_label_mutex"],
  ["KALLSYMS_ALL", "init_task"],
  ["KPROBES", "register_kprobe"],
  ["LIVEPATCH", "klp_mutex"],
  ["MODULES", "find_module_all"],
  ["PREEMPT_DYNAMIC", "preempt_dynamic_mode"],
  ["SMP", "__per_cpu_offset"],
  ["TRACING", "global_trace"],
  ["UPROBES", "uprobe_register"],
];

/** The same for members. */
const BY_MEMBER: readonly (readonly [
  config: string,
  struct: string,
  member: string,
])[] = [
  ["DEBUG_INFO_BTF_MODULES", "module", "btf_data"],
  ["FUNCTION_GRAPH_RETVAL", "ftrace_graph_ret", "retval"],
  ["TRACER_SNAPSHOT", "trace_array", "allocated_snapshot"],
];

/** The options, in the order of their names. */
export function configFacts(kernel: Kernel): ConfigFact[] {
  const { facts, symbols, types } = kernel;
  const found: ConfigFact[] = [];
  for (const [config, symbol] of BY_SYMBOL) {
    found.push({
      name: `CONFIG_${config}`,
      value: symbols.tryAddress(symbol) !== undefined,
      by: `symbol ${symbol}`,
    });
  }
  for (const [config, struct, member] of BY_MEMBER) {
    found.push({
      name: `CONFIG_${config}`,
      value: types.tryOffset(struct, member) !== undefined,
      by: `member ${struct}.${member}`,
    });
  }
  found.push({
    name: "CONFIG_FUNCTION_GRAPH_RETADDR",
    value: types.tryEnumerator("TRACE_GRAPH_RETADDR_ENT") !== undefined,
    by: "enumerator TRACE_GRAPH_RETADDR_ENT",
  }, {
    name: "CONFIG_PREEMPT_RT",
    value: /\bPREEMPT_RT\b/.test(facts.banner),
    by: "the banner",
  });
  const bits = types.tryMember("cpumask", "bits");
  if (bits !== undefined) {
    found.push({
      name: "CONFIG_NR_CPUS",
      value: bits.size * 8,
      by: "the size of struct cpumask, in whole words",
    });
  }
  const { hz } = ticksPerSecond(kernel);
  if (hz !== undefined) {
    found.push({
      name: "CONFIG_HZ",
      value: hz,
      by: "clocksource_jiffies.mult",
    });
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}
