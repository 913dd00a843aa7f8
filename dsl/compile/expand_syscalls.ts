/**
 * Pass: system calls to what programs really call, and to their events.
 *
 * @module
 */
import type { TargetFacts } from "../../engine/query/facts.ts";
import type {
  FunctionTarget,
  SyscallTarget,
} from "../../engine/query/program.ts";
import type { FunctionRef } from "../../engine/query/spec.ts";
import type { Notes } from "./draft.ts";

/**
 * What today's C libraries call for older system calls (glibc and musl on
 * x86-64; read off their sources' wrappers).
 */
const TODAY: Readonly<Record<string, readonly string[]>> = {
  sys_open: ["sys_openat"],
  sys_creat: ["sys_openat"],
  sys_access: ["sys_faccessat", "sys_faccessat2"],
  sys_newstat: ["sys_newfstatat"],
  sys_newlstat: ["sys_newfstatat"],
  sys_newfstat: ["sys_newfstatat"],
  sys_getdents: ["sys_getdents64"],
  sys_mkdir: ["sys_mkdirat"],
  sys_rmdir: ["sys_unlinkat"],
  sys_unlink: ["sys_unlinkat"],
  sys_rename: ["sys_renameat", "sys_renameat2"],
  sys_link: ["sys_linkat"],
  sys_symlink: ["sys_symlinkat"],
  sys_readlink: ["sys_readlinkat"],
  sys_chmod: ["sys_fchmodat"],
  sys_chown: ["sys_fchownat"],
  sys_mknod: ["sys_mknodat"],
  sys_pipe: ["sys_pipe2"],
  sys_dup2: ["sys_dup3"],
  sys_poll: ["sys_ppoll"],
  sys_select: ["sys_pselect6"],
  sys_epoll_create: ["sys_epoll_create1"],
  sys_epoll_wait: ["sys_epoll_pwait"],
  sys_inotify_init: ["sys_inotify_init1"],
  sys_fork: ["sys_clone", "sys_clone3"],
  sys_vfork: ["sys_clone", "sys_clone3"],
  sys_getrlimit: ["sys_prlimit64"],
  sys_setrlimit: ["sys_prlimit64"],
};

/** Names of system calls that differ between user space and the kernel. */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
  sys_stat: "sys_newstat",
  sys_fstat: "sys_newfstat",
  sys_lstat: "sys_newlstat",
  sys_fstatat: "sys_newfstatat",
  sys_uname: "sys_newuname",
  sys_sendfile: "sys_sendfile64",
  sys_umount2: "sys_umount",
};

/**
 * The names to trace for a system call: its own, and what programs call for
 * it today. The plan says so.
 */
export function expandSyscall(
  ref: FunctionRef,
  facts: TargetFacts,
  notes: Notes,
): FunctionRef[] {
  const own = KERNEL_NAMES[ref.name] ?? ref.name;
  const has = (name: string) =>
    facts.functions.addresses(`__x64_${name}`).length > 0;
  const today = (TODAY[own] ?? []).filter(has);
  if (today.length > 0) {
    notes.note(
      `${ref.name}: programs of today call ${
        today.map((name) => name.slice(4)).join(" or ")
      } for it, which is traced too`,
    );
  }
  return [{ ...ref, name: own }, ...today.map((name) => ({ ...ref, name }))];
}

/**
 * The entry functions of system calls among these that today's programs call
 * by another name.
 */
export function outdated(refs: readonly FunctionRef[]): Set<string> {
  return new Set(
    refs.map((ref) => KERNEL_NAMES[ref.name] ?? ref.name)
      .filter((name) => TODAY[name] !== undefined)
      .map((name) => `__x64_${name}`),
  );
}

/** The events of system calls' entry functions, where the kernel has them. */
export function syscallEvents(
  functions: readonly FunctionTarget[],
  facts: TargetFacts,
): (SyscallTarget & { readonly enabled: boolean })[] {
  const events = new Map(
    facts.events.all.filter((event) => event.system === "syscalls")
      .map((event) => [event.name, event]),
  );
  return functions.flatMap((target) => {
    const call = target.name.replace(/^__x64_sys_/, "");
    const enter = events.get(`sys_enter_${call}`);
    const exit = events.get(`sys_exit_${call}`);
    if (enter === undefined || exit === undefined) return [];
    const format = facts.events.format(enter.id)?.syscall;
    if (format === undefined) return [];
    return [{
      name: `sys_${call}`,
      address: target.addresses[0] ?? 0n,
      enter: enter.id,
      exit: exit.id,
      args: format.args,
      types: format.types,
      enabled: enter.enabled && exit.enabled,
    }];
  });
}
