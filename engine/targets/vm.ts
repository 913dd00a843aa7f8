/**
 * What is known of a VM on this host.
 *
 * @module
 */

import type { RamLayout } from "../memory/ram_layout.ts";
import type { AgentPort } from "../memory/ram_layout_qemu.ts";

/** Which program runs the VM. */
export type VmKind = "qemu" | "cloud-hypervisor" | "firecracker";

/** A mapping of a backing into the VM's process. */
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
  /** In bytes. */
  readonly size: number;
  /** Path of the file, or the memfd's name; undefined when anonymous. */
  readonly path?: string;
  /** The file's name was removed. */
  readonly deleted: boolean;
  readonly memfd: boolean;
  readonly hugetlb: boolean;
  /**
   * Whether the file holds what the guest writes. A private mapping's pages
   * are in the process alone, whatever the file says.
   */
  readonly shared: boolean;
  /**
   * Path to open and map for the same bytes: /proc/PID/fd/N, or the file's
   * own path. Undefined when only the process's memory holds them.
   */
  readonly open?: string;
  /**
   * Where the process has it mapped, ascending by offset; empty when that may
   * not be read.
   */
  readonly mappings: readonly BackingMapping[];
}

/** How to reach a VM's memory. */
export interface AttachPlan {
  readonly backings: readonly VmBacking[];
  /** GPA to offset in `backings[i]`. */
  readonly layout: RamLayout;
  /**
   * `map`: every backing has `open`, map these. `process`: some bytes are in
   * the process alone, read and write /proc/PID/mem at the HVAs of
   * `mappings`.
   */
  readonly access: "map" | "process";
  /** /proc/PID/mem. */
  readonly memPath: string;
  /**
   * Memory that was plugged in later: mapped by the process, not on its
   * command line; its GPA has to come from the guest's resource tree.
   * Indexes of `backings`.
   */
  readonly plugged: readonly number[];
  /**
   * Anonymous memory of the process that may have been plugged in too; only
   * for RAM of the guest that nothing else explains.
   */
  readonly spare: readonly VmBacking[];
}

/** A process that runs a VM. */
export interface VmProcess {
  readonly pid: number;
  readonly kind: VmKind;
  /** The VM's name; `pid:N` when it has none. */
  readonly name: string;
  /** Whether `name` is the VM's own. */
  readonly named: boolean;
  readonly uuid?: string;
  /** `kvm`, `tcg`, `kvm:tcg` (as asked for). */
  readonly accel: string;
  /** Machine type: `pc-q35-7.2`; empty when it has none. */
  readonly machine: string;
  /** RAM at boot, in bytes; 0 when not known. */
  readonly memoryBytes: number;
  readonly libvirt: boolean;
  /** Path of a QMP (or API) socket, when one is on the command line. */
  readonly qmpSocket?: string;
  /** The port of the guest's agent, when the machine has one. */
  readonly agent?: AgentPort;
  /** Memory encryption in use: `sev-guest`. */
  readonly confidential?: string;
  /** Start of the process, clock ticks since boot. */
  readonly startTime: number;
  /**
   * Ways to reach the memory, the likeliest first. More than one when the
   * process does not tell two backings of the same size apart: the kernel
   * found through a plan tells whether it is right.
   */
  readonly plans: readonly AttachPlan[];
  /** Whether there is a plan. */
  readonly attachable: boolean;
  /** Why there is none: one sentence that says what to do. */
  readonly whyNot?: string;
  /**
   * QEMU's monitor may know what the command line does not tell.
   */
  readonly askable?: boolean;
  /**
   * The process was started only now and has not mapped the guest's memory
   * yet: `whyNot` may be gone in a moment.
   */
  readonly starting?: boolean;
}
