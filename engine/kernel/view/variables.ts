/**
 * Types of well-known global variables.
 *
 * The BTF of most kernels describes only per-CPU variables (380 in 6.1, all in
 * `.data..percpu`), so the types of others are listed here. They were compared
 * with the debug information of Debian's 6.1.176.
 *
 * @module
 */

/**
 * Global variables and their types in C notation; `[]` stands for as many
 * elements as fit between the symbol and the next. A kernel need not have all
 * of them.
 */
export const VARIABLES = {
  // kernel/, init/: tasks, namespaces, the machine.
  init_task: "struct task_struct",
  init_mm: "struct mm_struct",
  init_cred: "struct cred",
  init_fs: "struct fs_struct",
  init_files: "struct files_struct",
  init_signals: "struct signal_struct",
  init_sighand: "struct sighand_struct",
  init_struct_pid: "struct pid",
  init_nsproxy: "struct nsproxy",
  init_pid_ns: "struct pid_namespace",
  init_uts_ns: "struct uts_namespace",
  init_ipc_ns: "struct ipc_namespace",
  init_user_ns: "struct user_namespace",
  init_cgroup_ns: "struct cgroup_namespace",
  init_time_ns: "struct time_namespace",
  init_net: "struct net",
  net_namespace_list: "struct list_head",
  root_user: "struct user_struct",
  kthreadd_task: "struct task_struct *",
  cad_pid: "struct pid *",
  nr_threads: "int",
  total_forks: "unsigned long",
  pid_max: "int",
  linux_banner: "char[]",
  saved_command_line: "char *",
  system_state: "enum system_states",
  tainted_mask: "unsigned long",
  panic_timeout: "int",
  panic_on_oops: "int",
  oops_in_progress: "int",
  loops_per_jiffy: "unsigned long",
  jiffies: "unsigned long",
  jiffies_64: "u64",
  curr_clocksource: "struct clocksource *",
  clocksource_list: "struct list_head",
  iomem_resource: "struct resource",
  ioport_resource: "struct resource",
  kernel_locked_down: "enum lockdown_reason",
  // CPUs.
  nr_cpu_ids: "unsigned int",
  __num_online_cpus: "atomic_t",
  __cpu_possible_mask: "struct cpumask",
  __cpu_present_mask: "struct cpumask",
  __cpu_online_mask: "struct cpumask",
  __cpu_active_mask: "struct cpumask",
  root_task_group: "struct task_group",
  worker_pool_idr: "struct idr",
  workqueues: "struct list_head",
  irq_desc_tree: "struct xarray",
  sparse_irqs: "struct maple_tree",
  // Control groups.
  cgrp_dfl_root: "struct cgroup_root",
  cgroup_roots: "struct list_head",
  css_set_table: "struct hlist_head[]",
  init_css_set: "struct css_set",
  // Memory.
  node_data: "struct pglist_data *[]",
  slab_caches: "struct list_head",
  kmem_cache: "struct kmem_cache *",
  task_struct_cachep: "struct kmem_cache *",
  vmap_area_list: "struct list_head",
  vmap_area_root: "struct rb_root",
  shrinker_list: "struct list_head",
  swap_info: "struct swap_info_struct *[]",
  nr_swapfiles: "unsigned int",
  _totalram_pages: "atomic_long_t",
  totalreserve_pages: "unsigned long",
  vm_node_stat: "atomic_long_t[]",
  vm_zone_stat: "atomic_long_t[]",
  max_pfn: "unsigned long",
  max_low_pfn: "unsigned long",
  high_memory: "void *",
  sysctl_overcommit_memory: "int",
  // File systems.
  super_blocks: "struct list_head",
  file_systems: "struct file_system_type *",
  dentry_hashtable: "struct hlist_bl_head *",
  inode_hashtable: "struct hlist_head *",
  mount_hashtable: "struct hlist_head *",
  d_hash_shift: "unsigned int",
  i_hash_shift: "unsigned int",
  proc_root: "struct proc_dir_entry",
  sysfs_root_kn: "struct kernfs_node *",
  chrdevs: "struct char_device_struct *[]",
  // Modules, devices, keys, cryptography.
  modules: "struct list_head",
  module_kset: "struct kset *",
  bus_kset: "struct kset *",
  class_kset: "struct kset *",
  devices_kset: "struct kset *",
  kernel_kobj: "struct kobject *",
  fs_kobj: "struct kobject *",
  platform_bus: "struct device",
  pci_bus_type: "struct bus_type",
  pci_root_buses: "struct list_head",
  tty_drivers: "struct list_head",
  input_dev_list: "struct list_head",
  misc_list: "struct list_head",
  bdi_list: "struct list_head",
  key_serial_tree: "struct rb_root",
  crypto_alg_list: "struct list_head",
  // Network.
  net_families: "struct net_proto_family *[]",
  proto_list: "struct list_head",
  ptype_all: "struct list_head",
  tcp_hashinfo: "struct inet_hashinfo",
  udp_table: "struct udp_table",
  rtnl_mutex: "struct mutex",
  genl_fam_idr: "struct idr",
  // BPF.
  prog_idr: "struct idr",
  map_idr: "struct idr",
  btf_idr: "struct idr",
  // Ftrace, kprobes, notifiers.
  global_trace: "struct trace_array",
  ftrace_trace_arrays: "struct list_head",
  ftrace_events: "struct list_head",
  ftrace_ops_list: "struct ftrace_ops *",
  ftrace_enabled: "int",
  ftrace_graph_active: "int",
  ftrace_graph_hash: "struct ftrace_hash *",
  fgraph_max_depth: "unsigned int",
  trace_types: "struct tracer *",
  tracing_thresh: "unsigned long",
  tracing_disabled: "int",
  kprobe_table: "struct hlist_head[]",
  uprobes_tree: "struct rb_root",
  panic_notifier_list: "struct atomic_notifier_head",
  reboot_notifier_list: "struct blocking_notifier_head",
  module_notify_list: "struct blocking_notifier_head",
  die_chain: "struct atomic_notifier_head",
  // The kernel's log.
  prb: "struct printk_ringbuffer *",
  log_buf: "char *",
  console_drivers: "struct console *",
  console_list: "struct hlist_head",
  // The processors.
  boot_cpu_data: "struct cpuinfo_x86",
  cpu_khz: "unsigned int",
  tsc_khz: "unsigned int",
  sys_call_table: "void *[]",
  idt_table: "gate_desc[]",
} as const;

/** A global variable whose type need not be given. */
export type KnownVariable = keyof typeof VARIABLES;

/** The type of a variable in {@linkcode VARIABLES}, in C notation. */
export function variableType(name: string): string | undefined {
  const types: Readonly<Record<string, string>> = VARIABLES;
  return Object.hasOwn(types, name) ? types[name] : undefined;
}
