/**
 * The description of a VM on this host.
 *
 * @module
 */

import type { RamLayout } from "../memory/ram_layout.ts";
import type { AgentPort } from "../memory/ram_layout_qemu.ts";

/** The program that runs the VM. */
export type VmKind = "qemu" | "cloud-hypervisor" | "firecracker";

/** A mapping of a backing in the VM's process. */
export interface BackingMapping {
  /** First HVA. */
  readonly start: number;
  /** One past the last HVA. */
  readonly end: number;
  /** Offset in the backing, in bytes. */
  readonly offset: number;
}

/** Where bytes of guest RAM are on the host. */
export interface VmBacking {
  /** The backend's id in QEMU: `pc.ram`, `ram0`. */
  readonly id: string;
  /** Size in bytes. */
  readonly size: number;
  /** Path of the file, or the memfd's name; undefined when anonymous. */
  readonly path?: string;
  /** Whether the file's name has been removed. */
  readonly deleted: boolean;
  readonly memfd: boolean;
  readonly hugetlb: boolean;
  /**
   * Whether the file holds what the guest writes. The pages of a private
   * mapping exist only in the process, whatever the file contains.
   */
  readonly shared: boolean;
  /**
   * A path that can be opened and mapped to get the same bytes: /proc/PID/fd/N,
   * or the file's own path. Undefined when only the process's memory holds
   * them.
   */
  readonly open?: string;
  /**
   * Device and inode of the mapped file, as /proc/PID/maps says: whatever is
   * opened by `open` must be that file. Undefined for anonymous memory.
   */
  readonly identity?: string;
  /**
   * Its mappings in the process, ascending by offset; empty when these may not
   * be read.
   */
  readonly mappings: readonly BackingMapping[];
}

/** A way to reach a VM's memory. */
export interface AttachPlan {
  readonly backings: readonly VmBacking[];
  /** Maps GPAs to offsets in `backings[i]`. */
  readonly layout: RamLayout;
  /**
   * `map`: every backing has `open` and is mapped. `process`: some bytes exist
   * only in the process, so /proc/PID/mem is read and written at the HVAs in
   * `mappings`.
   */
  readonly access: "map" | "process";
  /** /proc/PID/mem. */
  readonly memPath: string;
  /**
   * Memory plugged in later, as indexes of `backings`: mapped by the process
   * but not on its command line. Its GPA must be found in the guest's resource
   * tree.
   */
  readonly plugged: readonly number[];
  /**
   * Anonymous memory of the process that may have been plugged in too; used
   * only for guest RAM that nothing else explains.
   */
  readonly spare: readonly VmBacking[];
}

/** A process that runs a VM. */
export interface VmProcess {
  readonly pid: number;
  /**
   * The user id under which it runs; undefined when it cannot be read. What the
   * VM says of itself, its name included, is this user's word.
   */
  readonly uid?: number;
  readonly kind: VmKind;
  /** The VM's name; `pid:N` when it has none. */
  readonly name: string;
  /** Whether `name` is a real name of the VM. */
  readonly named: boolean;
  readonly uuid?: string;
  /** Accelerator as given on the command line: `kvm`, `tcg`, `kvm:tcg`. */
  readonly accel: string;
  /** Machine type: `pc-q35-7.2`; empty when it has none. */
  readonly machine: string;
  /** RAM at boot, in bytes; 0 when unknown. */
  readonly memoryBytes: number;
  readonly libvirt: boolean;
  /** Path of a QMP (or API) socket, if one is on the command line. */
  readonly qmpSocket?: string;
  /** The paths of all QMP sockets of a QEMU. */
  readonly monitors?: readonly string[];
  /** The guest agent's port, if the machine has one. */
  readonly agent?: AgentPort;
  /** Memory encryption: `sev-guest`. */
  readonly confidential?: string;
  /** Start time of the process, in clock ticks since boot. */
  readonly startTime: number;
  /**
   * Ways to reach the memory, the likeliest first. There are several when two
   * backings of the same size cannot be told apart: whether a kernel is found
   * shows which one is right.
   */
  readonly plans: readonly AttachPlan[];
  /** Whether there is at least one plan. */
  readonly attachable: boolean;
  /** Why there is no plan: one sentence that says what to do. */
  readonly whyNot?: string;
  /** Whether QEMU's monitor may know what the command line does not state. */
  readonly askable?: boolean;
  /**
   * The process has just been started and has not mapped the guest's memory
   * yet: the reason in `whyNot` may be gone in a moment.
   */
  readonly starting?: boolean;
}
