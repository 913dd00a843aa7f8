/**
 * Describes a QEMU process, and how to reach its guest's memory.
 *
 * @module
 */

import { basename } from "node:path";
import { archNamed, archOfEmulator, readableArchs } from "../arch/all.ts";
import { XftraceError } from "../base/errors.ts";
import { shownText } from "../base/shown.ts";
import {
  AGENT_PORT,
  parseQemuMachine,
  qemuLayout,
  unplacedBackings,
} from "../memory/ram_layout_qemu.ts";
import type { AgentPort, QemuMachine } from "../memory/ram_layout_qemu.ts";
import { LayoutError } from "../memory/ram_layout.ts";
import type { Board, RamLayout } from "../memory/ram_layout.ts";
import { splitOptions, withConfigFiles } from "../memory/ram_layout_options.ts";
import {
  matchBackings,
  NotMappedError,
  pluggedBackings,
  type ProcessMemory,
  spareBackings,
} from "./backing.ts";
import { fileFacts, mayOpen, ProcPermissionError } from "./proc.ts";
import type { Proc } from "./proc.ts";
import type { AttachPlan, VmBacking, VmProcess } from "./vm.ts";

/** Whether a program's name is that of a QEMU system emulator. */
export function isQemu(program: string): boolean {
  return /^(qemu-system-[\w.-]+|qemu-kvm|kvm|qemu)$/.test(program);
}

/**
 * Describes a QEMU process. Whatever its command line holds, there is a
 * description: anybody may start a process with a QEMU's name.
 *
 * @param program Base name of the program.
 * @param args Its arguments, starting with the program's name.
 */
export function describeQemu(
  proc: Proc,
  pid: number,
  program: string,
  args: readonly string[],
  startTime: number,
): VmProcess {
  const vm = described(proc, pid, program, args, startTime);
  return {
    ...vm,
    accel: shownText(vm.accel, MOST_SHOWN),
    machine: shownText(vm.machine, MOST_SHOWN),
    ...(vm.whyNot === undefined ? {} : { whyNot: shownText(vm.whyNot) }),
  };
}

/** The most characters of a machine's type that are shown. */
const MOST_SHOWN = 60;

function described(
  proc: Proc,
  pid: number,
  program: string,
  args: readonly string[],
  startTime: number,
): VmProcess {
  const base = {
    pid,
    uid: proc.uid(pid),
    kind: "qemu" as const,
    startTime,
    plans: [],
    attachable: false,
  };
  const arch = archOfEmulator(program);
  const { boards, defaults } = (arch ?? archNamed()).machines;
  let machine: QemuMachine;
  let files = 0;
  try {
    machine = parseQemuMachine(
      withConfigFiles(args.slice(1), (path) => {
        if (++files > MOST_CONFIG_FILES) {
          throw new LayoutError(
            `the RAM layout cannot be told: it has more than ${MOST_CONFIG_FILES} options -readconfig`,
          );
        }
        return configFile(proc, pid, path);
      }),
      defaults,
    );
  } catch (error) {
    // Everything that does not concern memory is known nevertheless.
    const known = parseQemuMachine(
      splitOptions(args.slice(1)).filter(({ name, value }) =>
        IDENTITY.test(name) || value.includes(AGENT_PORT)
      )
        .flatMap(({ name, value }) => [`-${name}`, value]),
      defaults,
    );
    return {
      ...base,
      name: known.name ?? `pid:${pid}`,
      named: known.name !== undefined,
      uuid: known.uuid,
      accel: "",
      machine: "",
      memoryBytes: 0,
      libvirt: false,
      qmpSocket: socketPath(proc, pid, known.qmpSocket),
      monitors: monitorPaths(proc, pid, known.monitors),
      agent: agentPort(proc, pid, known.agent),
      askable: error instanceof LayoutError,
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
    qmpSocket: socketPath(proc, pid, machine.qmpSocket),
    monitors: monitorPaths(proc, pid, machine.monitors),
    agent: agentPort(proc, pid, machine.agent),
    confidential: machine.confidential,
  };
  if (arch === undefined) {
    const name = program.replace(/^qemu-system-/, "");
    return {
      ...vm,
      whyNot:
        `its guest is ${name}; only ${readableArchs()} guests can be read`,
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
    const plans = plansOf(proc, pid, machine, boards);
    return { ...vm, plans, attachable: true };
  } catch (error) {
    return error instanceof NotMappedError && isStarting(proc, pid)
      ? {
        ...vm,
        starting: true,
        whyNot: `it was started only now, and ${error.message} yet; try again`,
      }
      : {
        ...vm,
        whyNot: reason(error),
        askable: error instanceof LayoutError ||
          error instanceof NotMappedError,
      };
  }
}

/**
 * The current text of a file that `-readconfig` names.
 *
 * @throws {LayoutError} when it cannot be read.
 */
function configFile(proc: Proc, pid: number, path: string): string {
  try {
    return proc.namedText(pid, path);
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    throw new LayoutError(
      `the RAM layout cannot be told: ${shownText(path)}, which its ` +
        `-readconfig names, cannot be read as a regular file of at most 1 MiB`,
      { cause: error },
    );
  }
}

/** The most files that -readconfig may name; libvirt and Proxmox give one. */
const MOST_CONFIG_FILES = 16;

/** Options that identify a VM, its monitor and its agent's port. */
const IDENTITY = /^(name|uuid|chardev|mon|qmp|qmp-pretty)$/;

function socketPath(proc: Proc, pid: number, path: string | undefined) {
  return path === undefined || path.startsWith("/")
    ? path
    : `${proc.root}/${pid}/cwd/${path}`;
}

function monitorPaths(proc: Proc, pid: number, paths: readonly string[]) {
  return paths.flatMap((path) => socketPath(proc, pid, path) ?? []);
}

function agentPort(proc: Proc, pid: number, port: AgentPort | undefined) {
  return port === undefined
    ? undefined
    : { ...port, socket: socketPath(proc, pid, port.socket) };
}

/**
 * Whether a QEMU may not have mapped its guest's memory yet: it has just
 * started, or has no vCPU thread (seen with 7.2 and 10.0: when the pidfile is
 * written and the command line is complete, the backends do not exist yet; the
 * vCPU threads come after them; the first two threads are the main thread and
 * RCU's).
 */
function isStarting(proc: Proc, pid: number): boolean {
  const age = proc.age(pid);
  if (age === undefined) return false;
  return age < 3 || (age < 60 && proc.threads(pid) <= 2);
}

/**
 * The memory mappings and open files of a process.
 *
 * @throws {ProcPermissionError}
 */
export function processMemory(proc: Proc, pid: number): ProcessMemory {
  return {
    vmas: proc.maps(pid),
    fds: proc.fds(pid),
    cwd: proc.cwd(pid),
    mapFiles: `${proc.root}/${pid}/map_files`,
  };
}

function plansOf(
  proc: Proc,
  pid: number,
  machine: QemuMachine,
  boards: readonly Board[],
): AttachPlan[] {
  const whole = qemuLayout(machine, boards);
  // Only backends that the layout uses are needed; an ivshmem backend, for
  // example, is not.
  const used = [...new Set(whole.regions.map(({ backing }) => backing))];
  const layout: RamLayout = {
    source: whole.source,
    regions: whole.regions.map((region) => ({
      ...region,
      backing: used.indexOf(region.backing),
    })),
  };
  const unplaced = unplacedBackings(machine);
  const known = [...used, ...unplaced];
  const backends = known.map((index) => machine.backends[index]);
  const memPath = proc.memPath(pid);
  try {
    const memory = processMemory(proc, pid);
    return matchBackings(backends, memory).map((backings) => {
      const unused = machine.backends
        .filter((_, index) => !known.includes(index)).map(({ size }) => size);
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
        plugged: all.map((_, index) => index).slice(used.length),
        spare: spareBackings(memory, all),
      };
    });
  } catch (error) {
    if (!(error instanceof ProcPermissionError)) throw error;
    // The command line is public, so a shared file may be accessible even when
    // the process is not.
    const backings = backends.map((backend): VmBacking | undefined => {
      const { path } = backend;
      if (path === undefined || !backend.share || !mayOpen(path, "r")) {
        return undefined;
      }
      const facts = fileFacts(path);
      if (!facts?.regular || facts.size < backend.offset + backend.size) {
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
    return [{
      backings,
      layout,
      access: "map",
      memPath,
      plugged: backings.map((_, index) => index).slice(used.length),
      spare: [],
    }];
  }
}

function reason(error: unknown): string {
  if (error instanceof ProcPermissionError) {
    return `${error.message}; run as root, or as the VM's own user`;
  }
  if (error instanceof XftraceError) return error.message;
  // One process that is not understood must not hide the others.
  return `what it says of itself is not understood (${
    error instanceof Error ? error.name : "error"
  })`;
}

/** The base name of the program that a process runs. */
export function programName(proc: Proc, pid: number, args: readonly string[]) {
  return basename(proc.exe(pid) ?? args[0]);
}
