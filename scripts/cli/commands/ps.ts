/** `xftrace ps`: lists the VMs of this host. */
import { shown } from "xftrace";
import type { Command } from "@commander-js/extra-typings";
import {
  backingText,
  listVms,
  targetOf,
  userName,
  type VmProcess,
} from "xftrace/targets";
import { faint, note, out, outJson, size, strong } from "../terminal.ts";

/** What `ps --json` prints for each VM. */
export interface ListedVm {
  /** The target to pass to `-t`. */
  readonly target: string;
  /** The VM's own name; null when it has none. */
  readonly name: string | null;
  readonly pid: number;
  /**
   * The user under which it runs, by name if it has one: `root`, `1000`; empty
   * when not known. Its name and all else that it says of itself is this user's
   * word.
   */
  readonly user: string;
  readonly kind: "qemu" | "cloud-hypervisor" | "firecracker";
  /**
   * Accelerator as configured: `kvm`, `tcg`, `kvm:tcg`; empty when not known.
   */
  readonly accel: string;
  /** Machine type; empty when there is none. */
  readonly machine: string;
  /** Bytes of RAM at boot; 0 when not known. */
  readonly memory: number;
  readonly libvirt: boolean;
  /** A description of where the RAM is; empty when not known. */
  readonly backing: string;
  readonly attachable: boolean;
  /** Why not, and what to do; null when attachable. */
  readonly whyNot: string | null;
}

/** Describes a VM for the list. */
export function listedTasks(vm: VmProcess): ListedVm {
  return {
    target: targetOf(vm),
    name: vm.named ? vm.name : null,
    pid: vm.pid,
    user: vm.uid === undefined ? "" : userName(vm.uid),
    kind: vm.kind,
    accel: vm.accel,
    machine: vm.machine,
    memory: vm.memoryBytes,
    libvirt: vm.libvirt,
    backing: backingText(vm),
    attachable: vm.attachable,
    whyNot: vm.whyNot === undefined
      ? null
      : vm.askable === true && vm.qmpSocket !== undefined && !vm.libvirt
      ? `${vm.whyNot}; its monitor is asked when it is named`
      : vm.whyNot,
  };
}

/** Formats the list as a table. */
export function psText(vms: readonly ListedVm[]): string {
  const rows = [
    ["TARGET", "PID", "USER", "RUN BY", "ACCEL", "MACHINE", "RAM", "MEMORY"],
    ...vms.map((vm) =>
      [
        vm.target,
        String(vm.pid),
        vm.user,
        vm.libvirt ? `${vm.kind} (libvirt)` : vm.kind,
        vm.accel,
        vm.machine,
        vm.memory === 0 ? "" : size(vm.memory),
        vm.attachable ? vm.backing : `not readable: ${vm.whyNot}`,
      ].map(shown)
    ),
  ];
  const widths = rows[0].map((_, i) =>
    i === 7 ? 0 : Math.max(...rows.map((row) => row[i].length))
  );
  return rows.map((row, n) => {
    const line = row.map((cell, i) => cell.padEnd(widths[i])).join("  ")
      .trimEnd();
    return n === 0 ? faint(line) : line.replace(row[0], () => strong(row[0]));
  }).join("\n") + "\n";
}

/** Registers `xftrace ps` on the program. */
export function registerPs(program: Command): void {
  program.command("ps")
    .summary("list this host's VMs, and whether they can be read")
    .description("Lists the VMs of this host, and whether they can be read.")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Only root can see where the memory of other users' VMs is.

Examples:
  xftrace ps
  xftrace ps --json | jq -r '.[] | select(.attachable) | .target'`,
    )
    .action((options) => {
      const vms = listVms().map(listedTasks);
      if (options.json === true) return outJson(vms);
      if (vms.length === 0) return note("no VM runs on this host");
      out(psText(vms));
    });
}
