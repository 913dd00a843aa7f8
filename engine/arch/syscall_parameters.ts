/**
 * Parameters of common system calls, so that exactly the existing arguments are
 * shown, with names, and paths as text. Arguments of other calls are shown as
 * plain words.
 *
 * Sources: include/linux/syscalls.h and the calls' manual pages; the numbers
 * depend on the architecture.
 *
 * @module
 */
import type { Syscalls } from "./syscalls.ts";

/** Parameters by system call; `*` marks a path. */
const PARAMETERS: Readonly<Record<string, string>> = {
  read: "fd buf count",
  write: "fd buf count",
  open: "*filename flags mode",
  close: "fd",
  stat: "*filename statbuf",
  fstat: "fd statbuf",
  lstat: "*filename statbuf",
  poll: "ufds nfds timeout",
  lseek: "fd offset whence",
  mmap: "addr len prot flags fd off",
  mprotect: "start len prot",
  munmap: "addr len",
  brk: "brk",
  rt_sigaction: "sig act oact sigsetsize",
  rt_sigprocmask: "how nset oset sigsetsize",
  ioctl: "fd cmd arg",
  pread64: "fd buf count pos",
  pwrite64: "fd buf count pos",
  readv: "fd vec vlen",
  writev: "fd vec vlen",
  access: "*filename mode",
  pipe: "fildes",
  dup: "fildes",
  dup2: "oldfd newfd",
  getpid: "",
  socket: "family type protocol",
  connect: "fd uservaddr addrlen",
  clone: "clone_flags newsp parent_tidptr child_tidptr tls",
  fork: "",
  vfork: "",
  execve: "*filename argv envp",
  exit: "error_code",
  wait4: "upid stat_addr options ru",
  kill: "pid sig",
  fcntl: "fd cmd arg",
  truncate: "*path length",
  getdents: "fd dirent count",
  getcwd: "buf size",
  chdir: "*filename",
  rename: "*oldname *newname",
  mkdir: "*pathname mode",
  rmdir: "*pathname",
  creat: "*pathname mode",
  link: "*oldname *newname",
  unlink: "*pathname",
  symlink: "*oldname *newname",
  readlink: "*path buf bufsiz",
  chmod: "*filename mode",
  chown: "*filename user group",
  lchown: "*filename user group",
  ptrace: "request pid addr data",
  utime: "*filename times",
  mknod: "*filename mode dev",
  statfs: "*pathname buf",
  pivot_root: "*new_root *put_old",
  chroot: "*filename",
  mount: "*dev_name *dir_name *type flags data",
  umount2: "*name flags",
  swapon: "*specialfile swap_flags",
  swapoff: "*specialfile",
  init_module: "umod len uargs",
  delete_module: "name_user flags",
  futex: "uaddr op val utime uaddr2 val3",
  getdents64: "fd dirent count",
  exit_group: "error_code",
  openat: "dfd *filename flags mode",
  mkdirat: "dfd *pathname mode",
  mknodat: "dfd *filename mode dev",
  fchownat: "dfd *filename user group flag",
  newfstatat: "dfd *filename statbuf flag",
  unlinkat: "dfd *pathname flag",
  renameat: "olddfd *oldname newdfd *newname",
  linkat: "olddfd *oldname newdfd *newname flags",
  symlinkat: "*oldname newdfd *newname",
  readlinkat: "dfd *pathname buf bufsiz",
  fchmodat: "dfd *filename mode",
  faccessat: "dfd *filename mode",
  utimensat: "dfd *filename utimes flags",
  pipe2: "fildes flags",
  prlimit64: "pid resource new_rlim old_rlim",
  finit_module: "fd uargs flags",
  renameat2: "olddfd *oldname newdfd *newname flags",
  getrandom: "ubuf len flags",
  execveat: "fd *filename argv envp flags",
  statx: "dfd *filename flags mask buffer",
  open_tree: "dfd *filename flags",
  clone3: "uargs size",
  openat2: "dfd *filename how usize",
  faccessat2: "dfd *filename mode flags",
};

/** A parameter of a system call. */
export interface SyscallParameter {
  readonly name: string;
  /** Whether the parameter points to a path. */
  readonly isPath: boolean;
}

/**
 * The parameters of the calls known here, by call number; other calls are
 * missing.
 */
export function syscallParameters(
  { numbers, parameters }: Syscalls,
): ReadonlyMap<number, readonly SyscallParameter[]> {
  return new Map(
    Object.entries(numbers).map(([call, number]) => [
      number,
      (parameters?.[call] ?? PARAMETERS[call] ?? "").split(" ").filter((name) =>
        name !== ""
      ).map(
        (name) => ({
          name: name.replace("*", ""),
          isPath: name.startsWith("*"),
        }),
      ),
    ]),
  );
}

/**
 * Names of the calls with known parameters, for which an architecture lists the
 * numbers.
 */
export function describedSyscalls(): string[] {
  return Object.keys(PARAMETERS);
}
