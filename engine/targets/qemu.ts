/**
 * What is known of a QEMU process, and how to reach its guest's memory.
 *
 * @module
 */

import { basename } from "node:path";
import { XftraceError } from "../errors.ts";
import { parseQemuMachine, qemuLayout } from "../memory/ram_layout_qemu.ts";
import type { QemuMachine } from "../memory/ram_layout_qemu.ts";
import type { RamLayout } from "../memory/ram_layout.ts";
import { matchBackings, NotMappedError, pluggedBackings } from "./backing.ts";
import { fileFacts, mayOpen, ProcPermissionError } from "./proc.ts";
import type { Proc } from "./proc.ts";
import type { AttachPlan, VmBacking, VmProcess } from "./vm.ts";

/** Whether a program's name is one of QEMU's system emulators. */
export function isQemu(program: string): boolean {
  return /^(qemu-system-[\w.-]+|qemu-kvm|kvm|qemu)$/.test(program);
}

/**
 * Describes a QEMU process.
 *
 * @param program Base name of the program.
 * @param args Its arguments, the program's name first.
 */
export function describeQemu(
  proc: Proc,
  pid: number,
  program: string,
  args: readonly string[],
  startTime: number,
): VmProcess {
  const base = {
    pid,
    kind: "qemu" as const,
    startTime,
    plans: [],
    attachable: false,
  };
  let machine: QemuMachine;
  try {
    machine = parseQemuMachine(args.slice(1));
  } catch (error) {
    return {
      ...base,
      name: `pid:${pid}`,
      named: false,
      accel: "",
      machine: "",
      memoryBytes: 0,
      libvirt: false,
      whyNot: reason(error),
    };
  }
  const vm: VmProcess = {
    ...base,
    name: machine.name ?? `pid:${pid}`,
    named: machine.name !== undefined,
    uuid: machine.uuid,
    accel: machine.accel,
    machine: machine.type,
    memoryBytes: machine.ramSize,
    libvirt: machine.libvirt,
    qmpSocket: machine.qmpSocket,
    confidential: machine.confidential,
  };
  const architecture = /^qemu-system-(?!x86_64$)(.+)$/.exec(program)?.[1];
  if (architecture !== undefined) {
    return {
      ...vm,
      whyNot: `its guest is ${architecture}; only x86_64 guests can be read`,
    };
  }
  if (machine.confidential !== undefined) {
    return {
      ...vm,
      whyNot: `its memory is encrypted (${machine.confidential}); the host ` +
        `cannot read it`,
    };
  }
  try {
    const plans = plansOf(proc, pid, machine);
    return { ...vm, plans, attachable: true };
  } catch (error) {
    return error instanceof NotMappedError && isStarting(proc, pid)
      ? {
        ...vm,
        starting: true,
        whyNot: `it was started only now, and ${error.message} yet; try again`,
      }
      : { ...vm, whyNot: reason(error) };
  }
}

/**
 * Whether a QEMU may not have mapped its guest's memory yet: it is young, or
 * has no thread for a vCPU (seen with 7.2 and 10.0: the pidfile is written and
 * the command line is complete before the backends are made, the threads come
 * after them; the first two are its main thread and RCU's).
 */
function isStarting(proc: Proc, pid: number): boolean {
  const age = proc.age(pid);
  if (age === undefined) return false;
  return age < 3 || (age < 60 && proc.threads(pid) <= 2);
}

function plansOf(proc: Proc, pid: number, machine: QemuMachine): AttachPlan[] {
  const whole = qemuLayout(machine);
  // Only what the layout uses is needed; an ivshmem backend, say, is not.
  const used = [...new Set(whole.regions.map(({ backing }) => backing))];
  const layout: RamLayout = {
    source: whole.source,
    regions: whole.regions.map((region) => ({
      ...region,
      backing: used.indexOf(region.backing),
    })),
  };
  const backends = used.map((index) => machine.backends[index]);
  const memPath = proc.memPath(pid);
  try {
    const memory = {
      vmas: proc.maps(pid),
      fds: proc.fds(pid),
      cwd: proc.cwd(pid),
      mapFiles: `${proc.root}/${pid}/map_files`,
    };
    return matchBackings(backends, memory).map((backings) => {
      const unused = machine.backends
        .filter((_, index) => !used.includes(index)).map(({ size }) => size);
      const plugged = pluggedBackings(memory, backings).filter(({ size }) => {
        const at = unused.indexOf(size);
        if (at >= 0) unused.splice(at, 1);
        return at < 0;
      });
      const all = [...backings, ...plugged];
      return {
        backings: all,
        layout,
        access: all.every(({ open }) => open !== undefined)
          ? "map" as const
          : "process" as const,
        memPath,
        plugged: plugged.map((_, index) => backings.length + index),
      };
    });
  } catch (error) {
    if (!(error instanceof ProcPermissionError)) throw error;
    // The command line is public: a shared file may be open to us even when
    // the process is not.
    const backings = backends.map((backend): VmBacking | undefined => {
      const { path } = backend;
      if (path === undefined || !backend.share || !mayOpen(path, "r")) {
        return undefined;
      }
      const facts = fileFacts(path);
      if (facts === undefined || facts.size < backend.offset + backend.size) {
        return undefined;
      }
      return {
        id: backend.id,
        size: backend.size,
        path,
        deleted: false,
        memfd: false,
        hugetlb: backend.hugetlb,
        shared: true,
        open: path,
        mappings: [],
      };
    }).filter((backing) => backing !== undefined);
    if (backings.length < backends.length) throw error;
    return [{ backings, layout, access: "map", memPath, plugged: [] }];
  }
}

function reason(error: unknown): string {
  if (error instanceof ProcPermissionError) {
    return `${error.message}; run as root, or as the VM's own user`;
  }
  if (error instanceof XftraceError) return error.message;
  throw error;
}

/** The base name of a program as its process tells it. */
export function programName(proc: Proc, pid: number, args: readonly string[]) {
  return basename(proc.exe(pid) ?? args[0]);
}
