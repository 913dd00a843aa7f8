/**
 * Finds the VMs that run on this host, and the one that a target refers to.
 *
 * @module
 */

import { basename } from "node:path";
import { EXIT, XftraceError } from "../base/errors.ts";
import { listed } from "../base/listed.ts";
import { nearNames } from "../base/near_names.ts";
import { shownText } from "../base/shown.ts";
import { isPlainWord } from "../base/shell_word.ts";
import { describeOther, otherVmm } from "./other_vmms.ts";
import { Proc } from "./proc.ts";
import { describeQemu, isQemu, programName } from "./qemu.ts";
import { TARGET_FORMS } from "./target.ts";
import type { VmProcess } from "./vm.ts";

/** The most VMs that an error names. */
const MOST_NAMED = 20;

/**
 * All VMs that run on this host, ascending by pid.
 *
 * @example
 * ```ts
 * import { listVms, targetOf } from "xftrace/targets";
 *
 * for (const vm of listVms()) console.log(targetOf(vm), vm.attachable);
 * ```
 */
export function listVms(proc: Proc = new Proc()): VmProcess[] {
  return proc.pids().map((pid) => describeVm(pid, proc))
    .filter((vm) => vm !== undefined);
}

function isVmm(program: string): boolean {
  return isQemu(program) || otherVmm(program) !== undefined;
}

/** The VM that a process runs; undefined when it does not run one. */
export function describeVm(
  pid: number,
  proc: Proc = new Proc(),
): VmProcess | undefined {
  // Where the program is known, only VMs' command lines are read.
  const exe = proc.exe(pid);
  if (exe !== undefined && !isVmm(basename(exe))) return undefined;
  const args = proc.args(pid);
  if (args.length === 0) return undefined;
  const program = programName(proc, pid, args);
  const other = otherVmm(program);
  if (!isQemu(program) && other === undefined) return undefined;
  const startTime = proc.startTime(pid);
  if (startTime === undefined) return undefined;
  if (other === undefined) {
    return describeQemu(proc, pid, program, args, startTime);
  }
  return other === "qemu"
    ? undefined
    : describeOther(proc, other, pid, args, startTime);
}

/**
 * Whether the process is still the one described: the pid exists and has not
 * been reused.
 */
export function isAlive(
  vm: Pick<VmProcess, "pid" | "startTime">,
  proc: Proc = new Proc(),
): boolean {
  return proc.startTime(vm.pid) === vm.startTime;
}

/**
 * The VM with that name or UUID.
 *
 * @throws {XftraceError} when there is none (the message suggests similar
 * names), or several.
 */
export function vmByName(name: string, vms: readonly VmProcess[]): VmProcess {
  const found = vms.filter((vm) =>
    (vm.named && vm.name === name) ||
    (vm.uuid !== undefined && vm.uuid.toLowerCase() === name.toLowerCase())
  );
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new XftraceError(
      `${found.length} VMs are named ${name}; choose one of ` +
        listed(found.map((vm) => `pid:${vm.pid}`), MOST_NAMED),
    );
  }
  const names = vms.filter((vm) => vm.named).map((vm) => vm.name);
  const near = nearNames(name, names.filter(isPlainWord));
  const hint = near.length > 0
    ? `did you mean ${near.map((n) => `qemu:${n}`).join(" or ")}?`
    : running(vms);
  throw new XftraceError(`no VM named ${name} runs on this host; ${hint}`);
}

/**
 * The VM that a process runs, by pid.
 *
 * @throws {XftraceError} when there is no such process, or it is not a VM.
 */
export function vmByPid(pid: number, proc: Proc = new Proc()): VmProcess {
  const vm = describeVm(pid, proc);
  if (vm !== undefined) return vm;
  const args = proc.args(pid);
  throw new XftraceError(
    args.length === 0
      ? `no process ${pid} runs on this host`
      : `process ${pid} (${shownText(args[0])}) does not run a VM`,
  );
}

/**
 * The only running VM.
 *
 * @throws {XftraceError} when none is running, or several are (the message
 * lists them).
 */
export function onlyVm(vms: readonly VmProcess[]): VmProcess {
  if (vms.length === 1) return vms[0];
  if (vms.length === 0) {
    throw new XftraceError(
      `no VM runs on this host; start one, or name a target with -t: ` +
        TARGET_FORMS,
    );
  }
  throw new XftraceError(
    `${vms.length} VMs run on this host; choose one with -t: ` +
      listed(vms.map(targetOf), MOST_NAMED),
    { exitCode: EXIT.usage },
  );
}

/**
 * A target string that names a VM: by its name if that is a plain word, else by
 * its process. Any user may name a process as they like, and the string is
 * printed, copied to command lines, and offered by completions.
 *
 * @example
 * ```ts
 * import { listVms, targetOf } from "xftrace/targets";
 *
 * console.log(listVms().map(targetOf));
 * ```
 */
export function targetOf(vm: VmProcess): string {
  return vm.named && vm.kind === "qemu" && isPlainWord(vm.name)
    ? `qemu:${vm.name}`
    : `pid:${vm.pid}`;
}

function running(vms: readonly VmProcess[]): string {
  return vms.length === 0
    ? "none runs at all"
    : `there are ${listed(vms.map(targetOf), MOST_NAMED)}`;
}
