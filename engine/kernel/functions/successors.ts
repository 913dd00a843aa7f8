/**
 * System calls by the names that users write: the names of their functions in
 * the kernel, and the calls that programs use today in place of older ones.
 * Tracing only the old call would show nothing.
 *
 * Taken from the wrappers of glibc (2.36) and musl (1.2), Rust's standard
 * library and the GNU core utilities. The table serves all architectures: calls
 * that a kernel lacks are left out.
 *
 * @module
 */

/** Successors by the call's name in the kernel, without `sys_`. */
const SUCCESSORS: Readonly<Record<string, readonly string[]>> = {
  access: ["faccessat", "faccessat2"],
  chmod: ["fchmodat"],
  chown: ["fchownat"],
  creat: ["openat"],
  dup2: ["dup3"],
  epoll_create: ["epoll_create1"],
  epoll_wait: ["epoll_pwait"],
  eventfd: ["eventfd2"],
  fork: ["clone", "clone3"],
  getdents: ["getdents64"],
  getrlimit: ["prlimit64"],
  inotify_init: ["inotify_init1"],
  lchown: ["fchownat"],
  link: ["linkat"],
  mkdir: ["mkdirat"],
  mknod: ["mknodat"],
  newfstat: ["newfstatat"],
  newlstat: ["newfstatat", "statx"],
  newstat: ["newfstatat", "statx"],
  open: ["openat"],
  pipe: ["pipe2"],
  poll: ["ppoll"],
  readlink: ["readlinkat"],
  rename: ["renameat", "renameat2"],
  rmdir: ["unlinkat"],
  select: ["pselect6"],
  setrlimit: ["prlimit64"],
  signalfd: ["signalfd4"],
  symlink: ["symlinkat"],
  unlink: ["unlinkat"],
  utime: ["utimensat"],
  utimes: ["utimensat"],
  vfork: ["clone", "clone3"],
};

/** Calls whose names differ between user space and the kernel. */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
  fstat: "newfstat",
  fstatat: "newfstatat",
  lstat: "newlstat",
  sendfile: "sendfile64",
  stat: "newstat",
  umount2: "umount",
  uname: "newuname",
};

/** A system call; all names without `sys_`. */
export interface NamedSyscall {
  /** Its name in the kernel. */
  readonly own: string;
  /**
   * The calls that programs use in its place today; empty when they still use
   * this one.
   */
  readonly today: readonly string[];
}

/**
 * Looks up a system call by name.
 *
 * @param call without `sys_`, as spelled in user space or in the kernel
 */
export function namedSyscall(call: string): NamedSyscall {
  const own = KERNEL_NAMES[call] ?? call;
  return { own, today: SUCCESSORS[own] ?? [] };
}

/** Every name that {@linkcode namedSyscall} maps to other names. */
export function renamedSyscalls(): string[] {
  return [...Object.keys(KERNEL_NAMES), ...Object.keys(SUCCESSORS)];
}
