/**
 * Resolves the target that the user named to something that can be read.
 *
 * @module
 */

import { pause } from "../base/pause.ts";
import { closeSync, readSync, realpathSync } from "node:fs";
import { allBoards } from "../arch/all.ts";
import { XftraceError } from "../base/errors.ts";
import { fileError } from "../base/file_error.ts";
import { openHostFile } from "../base/host_file/open.ts";
import { shellWord } from "../base/shell_word.ts";
import { candidateLayouts } from "../memory/ram_layout.ts";
import type { RamLayout } from "../memory/ram_layout.ts";
import {
  describeVm,
  isAlive,
  listVms,
  onlyVm,
  targetOf,
  vmByName,
  vmByPid,
} from "./discover.ts";
import { fileFacts, openFileFacts, Proc } from "./proc.ts";
import { formatTarget, parseTarget, withoutMemory } from "./target.ts";
import type { AttachPlan, VmProcess } from "./vm.ts";

/** A resolved target. */
export type ResolvedTarget =
  /** A running VM; attach by one of `vm.plans`. */
  | {
    readonly kind: "vm";
    /** Name for messages: `qemu:web1`. */
    readonly target: string;
    readonly vm: VmProcess;
  }
  /** A memory file that no VM on this host uses any more. */
  | {
    readonly kind: "file";
    readonly target: string;
    readonly path: string;
    /** Size in bytes. */
    readonly size: number;
    /** Layouts to try, the likeliest first; `backing` is always 0. */
    readonly layouts: readonly RamLayout[];
  }
  /** A dump of memory or a snapshot. */
  | {
    readonly kind: "core";
    readonly target: string;
    readonly path: string;
  };

/** Context for resolving a target. */
export interface ResolveOptions {
  /** Value of XFTRACE_TARGET, used when no target is given. */
  readonly environment?: string;
  readonly proc?: Proc;
  /**
   * Asks a VM's monitor for its memory layout when the command line does not
   * give it; undefined when the monitor does not answer.
   */
  readonly ask?: (vm: VmProcess, proc: Proc) => AttachPlan | undefined;
}

/**
 * Resolves a target: the given string, else that in the environment, else the
 * only running VM.
 *
 * @throws {XftraceError} one sentence: not a target, no such VM or file, more
 * than one VM, a VM that cannot be read (with the reason), or not a VM's
 * memory.
 *
 * @example
 * ```ts
 * import { resolveTarget } from "xftrace/targets";
 *
 * const resolved = resolveTarget("core:testdata/guest-6.1.core.zst");
 * console.log(resolved.kind); // core
 * ```
 */
export function resolveTarget(
  target: string | undefined,
  options: ResolveOptions = {},
): ResolvedTarget {
  const proc = options.proc ?? new Proc();
  const text = target ?? (options.environment || undefined);
  if (text === undefined) {
    return attachable(onlyVm(listVms(proc)), proc, options);
  }
  const spec = parseTarget(text);
  switch (spec.kind) {
    case "qemu":
      return attachable(vmByName(spec.name, listVms(proc)), proc, options);
    case "pid":
      return attachable(
        vmByPid(spec.pid, proc),
        proc,
        options,
        formatTarget(spec),
      );
    case "core":
      return { kind: "core", target: text, path: spec.path };
    case "dat":
    case "xfs":
      throw withoutMemory(text);
    case "file":
      return resolveFile(text, spec.path, proc);
  }
}

function attachable(
  found: VmProcess,
  proc: Proc,
  { ask }: ResolveOptions,
  target = targetOf(found),
): ResolvedTarget {
  const vm = started(found, proc);
  if (!vm.attachable) {
    const plan = vm.askable === true ? ask?.(vm, proc) : undefined;
    if (plan !== undefined) {
      return { kind: "vm", target, vm: { ...vm, plans: [plan] } };
    }
    throw new XftraceError(`${target} cannot be read: ${vm.whyNot}`);
  }
  return { kind: "vm", target, vm };
}

/**
 * Returns the VM once it has mapped its memory, if it has just been started.
 * That takes milliseconds, or seconds on a busy host.
 */
function started(vm: VmProcess, proc: Proc): VmProcess {
  let now = vm;
  while (now.starting === true) {
    pause(20);
    const next = describeVm(vm.pid, proc);
    if (next === undefined || !isAlive(vm, proc)) break;
    now = next;
  }
  return now;
}

function resolveFile(
  target: string,
  path: string,
  proc: Proc,
): ResolvedTarget {
  const head = new Uint8Array(4);
  const { fd, size } = openHostFile(path);
  const facts = openFileFacts(fd);
  try {
    if (size === 0) {
      throw new XftraceError(`${path} is empty; it holds no VM's memory`);
    }
    readSync(fd, head, 0, 4, 0);
  } catch (error) {
    throw error instanceof XftraceError ? error : fileError(path, error);
  } finally {
    closeSync(fd);
  }
  const magic = new DataView(head.buffer).getUint32(0, false);
  if (magic === 0x7f454c46) {
    throw new XftraceError(
      `${path} is an ELF file, not bare memory; use ${
        shellWord(`core:${path}`)
      }`,
    );
  }
  // A private mapping is found through its path: the file itself cannot be
  // used, since it does not hold what the guest writes.
  const real = realpathSync(path);
  const owner = listVms(proc).find((vm) =>
    vm.attachable && vm.plans[0].backings.some((backing) => {
      if (backing.identity === undefined) return false;
      if (backing.identity === facts.identity) return true;
      // Where maps has another device than stat (btrfs, overlayfs), the file
      // that the process has open has the same one as the file itself.
      const open = backing.open === undefined
        ? undefined
        : fileFacts(backing.open);
      return open === undefined
        ? backing.path === real
        : open.identity === facts.identity;
    })
  );
  if (owner !== undefined) return { kind: "vm", target, vm: owner };
  return {
    kind: "file",
    target,
    path,
    size,
    layouts: candidateLayouts(size, allBoards()),
  };
}
