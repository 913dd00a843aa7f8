/**
 * VMs that are listed although their memory cannot be read while they run:
 * cloud-hypervisor and firecracker processes.
 *
 * @module
 */

import { parseJson } from "../base/json.ts";
import { parseKeyValues, parseSize } from "../memory/ram_layout_options.ts";
import type { Proc } from "./proc.ts";
import type { VmKind, VmProcess } from "./vm.ts";

/** Which of these VMMs a program is, judged by its name. */
export function otherVmm(program: string): VmKind | undefined {
  if (/^cloud-hypervisor(-static)?$/.test(program)) return "cloud-hypervisor";
  if (/^firecracker(-v[\d.]+.*)?$/.test(program)) return "firecracker";
  return undefined;
}

const WHY_NOT = {
  "cloud-hypervisor":
    "guests of cloud-hypervisor cannot be read live yet; dump the memory " +
    "with `ch-remote coredump` and use core:PATH",
  "firecracker":
    "guests of firecracker cannot be read live yet; make a snapshot through " +
    "its API and use file:PATH with the snapshot's memory file",
};

/** Describes such a process; `args` starts with the program's name. */
export function describeOther(
  proc: Proc,
  kind: "cloud-hypervisor" | "firecracker",
  pid: number,
  args: readonly string[],
  startTime: number,
): VmProcess {
  const option = (name: string): string | undefined => {
    for (let i = 1; i < args.length; i++) {
      if (args[i] === `--${name}`) return args[i + 1];
      if (args[i].startsWith(`--${name}=`)) {
        return args[i].slice(name.length + 3);
      }
    }
    return undefined;
  };
  const id = kind === "firecracker" ? option("id") : undefined;
  return {
    pid,
    uid: proc.uid(pid),
    kind,
    name: id ?? `pid:${pid}`,
    named: id !== undefined,
    accel: "kvm",
    machine: "",
    memoryBytes: kind === "firecracker"
      ? configuredMemory(proc, pid, option("config-file"))
      : parseSize(
        parseKeyValues(option("memory") ?? "", "size").get("size"),
        1,
      ) ?? 512 * 2 ** 20,
    libvirt: false,
    qmpSocket: option(kind === "firecracker" ? "api-sock" : "api-socket")
      ?.replace(/^path=/, ""),
    startTime,
    plans: [],
    attachable: false,
    whyNot: WHY_NOT[kind],
  };
}

/**
 * RAM in bytes according to a firecracker configuration file; 0 when unknown.
 */
function configuredMemory(
  proc: Proc,
  pid: number,
  path: string | undefined,
): number {
  if (path === undefined) return 0;
  try {
    const config: unknown = parseJson(proc.namedText(pid, path));
    const size = member(member(config, "machine-config"), "mem_size_mib");
    return typeof size === "number" ? size * 2 ** 20 : 0;
  } catch {
    return 0;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Reflect.get(value, name)
    : undefined;
}
