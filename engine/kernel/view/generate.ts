/**
 * Writes structs.ts from the types of recorded kernels.
 *
 *     deno run --allow-read --allow-write=engine/kernel/view \
 *       engine/kernel/view/generate.ts SNAPSHOT...
 *
 * @module
 */
import { openCore } from "../../memory/dump/open_core.ts";
import type { Types } from "../btf/types.ts";
import { describeKernel } from "../locate/describe.ts";
import { declarePerCpu, declareStructs } from "./declare_structs.ts";

/** The structs that scripts use most, grouped by subsystem. */
const STRUCTS = `
list_head hlist_head hlist_node rb_root rb_node rb_root_cached xarray idr
maple_tree llist_head llist_node callback_head
atomic_t atomic64_t refcount_struct spinlock raw_spinlock mutex rw_semaphore
kref wait_queue_head completion
task_struct thread_info signal_struct sighand_struct cred kuid_t kgid_t
pid upid nsproxy pid_namespace uts_namespace new_utsname user_namespace
ipc_namespace mnt_namespace ns_common fs_struct files_struct fdtable
mm_struct vm_area_struct vm_struct page folio slab kmem_cache kmem_cache_cpu
zone pglist_data address_space anon_vma
file path dentry qstr inode super_block file_system_type mount vfsmount
file_operations inode_operations super_operations proc_dir_entry proc_ops
kernfs_node pipe_inode_info
module module_layout module_memory mod_kallsyms kernel_symbol kobject kset
device device_driver bus_type class resource
rq cfs_rq load_weight sched_entity sched_rt_entity sched_dl_entity sched_info task_group
cgroup css_set cgroup_subsys_state
work_struct workqueue_struct worker_pool timer_list hrtimer irq_desc
irqaction irq_data tick_device clocksource
net net_device socket sock sock_common inet_sock sk_buff neighbour
bio block_device gendisk request_queue request
trace_array array_buffer trace_buffer ftrace_ops ftrace_hash tracepoint
tracepoint_func trace_event_call trace_event_file kprobe kretprobe
notifier_block jump_entry static_key
bpf_prog bpf_prog_aux bpf_map key printk_ringbuffer console cpuinfo_x86
`.trim().split(/\s+/);

/** The text of structs.ts, before formatting. */
export function structsText(kernels: readonly DescribedTypes[]): string {
  const types = kernels.map((kernel) => kernel.types);
  const releases = kernels.map(({ release }) => release).join(", ");
  return `/**
 * Structs of the kernel with their members, for the editor and the type
 * checker. Written by generate.ts from the kernels ${releases}:
 * a member with a question mark is missing from some of them.
 *
 * @module
 */

/**
 * Structs by name, without \`struct\`, with the kind of each member's value.
 * \`xftrace types --struct NAME\` declares more, in {@linkcode GuestStructs}.
 */
export interface KernelStructs {
${declareStructs(STRUCTS, types, "  ")}}

/** Per-CPU variables with their kinds. */
export interface PerCpuVariables {
${declarePerCpu(types, "  ")}}
`;
}

/** The types of a kernel and its release. */
export interface DescribedTypes {
  readonly release: string;
  readonly types: Types;
}

if (import.meta.main) {
  const kernels: DescribedTypes[] = [];
  for (const path of Deno.args) {
    using memory = openCore(path);
    const { vmcoreinfo } = memory;
    const { facts, types } = describeKernel(
      memory,
      vmcoreinfo === undefined ? {} : { vmcoreinfo },
    );
    kernels.push({ release: facts.release, types });
  }
  const text = structsText(kernels);
  Deno.writeTextFileSync(new URL("structs.ts", import.meta.url), text);
}
