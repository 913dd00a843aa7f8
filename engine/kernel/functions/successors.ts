/**
 * System calls by the names that people use: what their functions are called
 * in the kernel, and what programs call today in place of older ones. Tracing
 * the old call alone would show nothing.
 *
 * Read off the wrappers of glibc (2.36) and musl (1.2), Rust's standard
 * library and the GNU core utilities. The same for all architectures: what a
 * kernel lacks is left out.
 *
 * @module
 */

/** By the names in the kernel, without `sys_`. */
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

/** Names that differ between user space and the kernel. */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
  fstat: "newfstat",
  fstatat: "newfstatat",
  lstat: "newlstat",
  sendfile: "sendfile64",
  stat: "newstat",
  umount2: "umount",
  uname: "newuname",
};

/** A system call, all names without `sys_`. */
export interface NamedSyscall {
  /** As the kernel calls it. */
  readonly own: string;
  /** What programs of today call in its place; none: the call itself. */
  readonly today: readonly string[];
}

/**
 * The system call of a name.
 *
 * @param call without `sys_`, as user space or the kernel calls it
 */
export function namedSyscall(call: string): NamedSyscall {
  const own = KERNEL_NAMES[call] ?? call;
  return { own, today: SUCCESSORS[own] ?? [] };
}

/** Every name for which {@linkcode namedSyscall} knows more than itself. */
export function renamedSyscalls(): string[] {
  return [...Object.keys(KERNEL_NAMES), ...Object.keys(SUCCESSORS)];
}
