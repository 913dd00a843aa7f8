/**
 * Advice on what to change so that a VM can be read, or be read more fully:
 * exact QEMU options, libvirt XML, kernel parameters.
 *
 * @module
 */
import { shellWord } from "../base/shell_word.ts";
import type { VmBacking, VmProcess } from "./vm.ts";

/**
 * Describes in a few words where a VM's memory is.
 *
 * @example
 * ```ts
 * import { backingText, listVms } from "xftrace/targets";
 *
 * for (const vm of listVms()) console.log(vm.name, backingText(vm));
 * ```
 */
export function backingText(vm: VmProcess): string {
  const [plan] = vm.plans;
  if (plan === undefined) return "";
  const kinds = [...new Set(plan.backings.map(kindOf))];
  const count = plan.backings.length;
  return (count > 1 ? `${count} backends: ` : "") + kinds.join(", ") +
    (plan.access === "process" ? " (through its process)" : "");
}

function kindOf(backing: VmBacking): string {
  const pages = backing.hugetlb ? "huge pages" : undefined;
  if (!backing.shared) return pages ?? "private";
  if (backing.memfd) return pages === undefined ? "memfd" : `memfd of ${pages}`;
  if (backing.path === undefined) return "unnamed shared memory";
  return `${pages ?? "file"} ${backing.path}${
    backing.deleted ? " (deleted)" : ""
  }`;
}

/**
 * QEMU options for memory that other processes may map.
 *
 * @example
 * ```ts
 * import { shareOptions } from "xftrace/targets";
 *
 * console.log(`qemu-system-x86_64 -m 2G ${shareOptions(2 * 2 ** 30)}`);
 * ```
 */
export function shareOptions(bytes: number): string {
  const size = bytes > 0 ? `${Math.round(bytes / 2 ** 20)}M` : "SIZE";
  return `-object memory-backend-memfd,id=mem,size=${size},share=on ` +
    `-machine memory-backend=mem`;
}

/** The equivalent libvirt XML. */
export const SHARE_XML =
  `<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>`;

/** The element missing from domains that already use huge pages. */
const SHARE_ACCESS = `<access mode='shared'/>`;

/**
 * The steps that let a VM share its memory, one sentence each.
 *
 * @example
 * ```ts
 * import { listVms, shareAdvice } from "xftrace/targets";
 *
 * for (const vm of listVms()) console.log(shareAdvice(vm).join("\n"));
 * ```
 */
export function shareAdvice(vm: VmProcess): string[] {
  const huge = vm.plans[0]?.backings.some((backing) => backing.hugetlb);
  return vm.libvirt
    ? [
      `virsh edit ${vm.named ? shellWord(vm.name) : "DOMAIN"}: inside ` +
      (huge === true
        ? `<memoryBacking>, beside <hugepages/>, add ${SHARE_ACCESS}`
        : `<domain> add ${SHARE_XML}`),
      "stop the VM and start it again (a reboot inside it is not enough)",
    ]
    : [
      `start QEMU with: ${shareOptions(vm.memoryBytes)}`,
      `or under libvirt, inside <domain>: ${SHARE_XML}`,
    ];
}

/**
 * Kernel parameters with which a guest boots ready for tracing.
 *
 * @example
 * ```ts
 * import { TRACE_PARAMETERS } from "xftrace/targets";
 *
 * console.log(`boot the guest with: ${TRACE_PARAMETERS}`);
 * ```
 */
export const TRACE_PARAMETERS =
  "ftrace=function_graph ftrace_graph_filter=ksys_read,do_sys_openat2 trace_buf_size=16M";
