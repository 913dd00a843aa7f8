/**
 * Variables that a kernel must have if it has a certain function, because both
 * stand in the same source file under the same configuration. kallsyms alone
 * names variables, so a renamed one can be missed only in this way; BTF names
 * functions as well.
 *
 * @module
 */

/**
 * Names of a variable and of a function of its file; names of the variable in
 * other kernels.
 */
export type Companions = readonly [
  variable: string,
  functionName: string,
  ...otherNames: readonly string[],
];

/**
 * Pairs that hold in all kernels with CONFIG_KALLSYMS_ALL; seen in 6.1 and 6.12,
 * in both of Debian's flavours, and in 7.2.
 */
export const COMPANIONS: readonly Companions[] = [
  // kernel/trace
  ["ftrace_ops_list", "register_ftrace_function"],
  ["ftrace_enabled", "register_ftrace_function"],
  ["ftrace_pages_start", "ftrace_location"],
  ["ftrace_ops_trampoline_list", "ftrace_trampoline_free"],
  ["last_ftrace_enabled", "ftrace_enable_sysctl"],
  ["ftrace_graph_hash", "ftrace_graph_set_hash"],
  ["ftrace_trace_arrays", "trace_array_put"],
  ["global_trace", "tracing_on"],
  ["ftrace_events", "trace_event_raw_init"],
  // kernel
  ["kprobe_table", "register_kprobe"],
  ["bpf_kallsyms", "bpf_ksym_add"],
  ["modules", "find_module_all"],
  ["mod_tree", "mod_tree_insert"],
  ["module_kset", "module_add_driver"],
  ["tracepoint_module_list", "tracepoint_module_notify"],
  ["__start___tracepoints_ptrs", "for_each_kernel_tracepoint"],
  ["__start___jump_table", "static_key_slow_inc"],
  ["init_task", "copy_process"],
  ["tasklist_lock", "copy_process"],
  ["init_pid_ns", "alloc_pid"],
  ["css_set_table", "find_css_set"],
  ["timer_bases", "add_timer_on"],
  ["hrtimer_bases", "hrtimer_start_range_ns"],
  ["runqueues", "schedule"],
  ["tk_core", "do_settimeofday64", "timekeeper_data"],
  ["reboot_notifier_list", "register_reboot_notifier"],
  ["vmcoreinfo_data", "vmcoreinfo_append_str"],
  // elsewhere
  ["super_blocks", "iterate_supers"],
  ["inode_hashtable", "__insert_inode_hash"],
  ["proc_root", "proc_symlink"],
  ["init_net", "copy_net_ns"],
  ["net_namespace_list", "copy_net_ns"],
  ["tty_ldiscs", "tty_register_ldisc"],
  ["keyboard_notifier_list", "register_keyboard_notifier"],
];
