/**
 * The system calls by their kernel names, with their arguments.
 * Written by generate.ts from the kernels 6.1.0-56-amd64, 6.12.117+deb12-amd64.
 *
 * @module
 */
import type { Empty } from "./events.ts";
import { syscall, type SystemCall } from "./functions.ts";

/** `sys_accept(int fd, struct sockaddr * upeer_sockaddr, int * upeer_addrlen)` */
export const sys_accept: SystemCall<
  "sys_accept",
  { fd: "number"; upeer_sockaddr: "address"; upeer_addrlen: "address" }
> = syscall("sys_accept");
/** `sys_accept4(int fd, struct sockaddr * upeer_sockaddr, int * upeer_addrlen, int flags)` */
export const sys_accept4: SystemCall<
  "sys_accept4",
  {
    fd: "number";
    upeer_sockaddr: "address";
    upeer_addrlen: "address";
    flags: "number";
  }
> = syscall("sys_accept4");
/** `sys_access(const char * filename, int mode)` */
export const sys_access: SystemCall<
  "sys_access",
  { filename: "text"; mode: "number" }
> = syscall("sys_access");
/** `sys_acct(const char * name)` */
export const sys_acct: SystemCall<"sys_acct", { name: "text" }> = syscall(
  "sys_acct",
);
/** `sys_add_key(const char * _type, const char * _description, const void * _payload, size_t plen, key_serial_t ringid)` */
export const sys_add_key: SystemCall<
  "sys_add_key",
  {
    _type: "text";
    _description: "text";
    _payload: "address";
    plen: "size";
    ringid: "number";
  }
> = syscall("sys_add_key");
/** `sys_adjtimex(struct __kernel_timex * txc_p)` */
export const sys_adjtimex: SystemCall<"sys_adjtimex", { txc_p: "address" }> =
  syscall("sys_adjtimex");
/** `sys_alarm(unsigned int seconds)` */
export const sys_alarm: SystemCall<"sys_alarm", { seconds: "number" }> =
  syscall("sys_alarm");
/** `sys_arch_prctl(int option, unsigned long arg2)` */
export const sys_arch_prctl: SystemCall<
  "sys_arch_prctl",
  { option: "number"; arg2: "number" }
> = syscall("sys_arch_prctl");
/** `sys_bind(int fd, struct sockaddr * umyaddr, int addrlen)` */
export const sys_bind: SystemCall<
  "sys_bind",
  { fd: "number"; umyaddr: "address"; addrlen: "number" }
> = syscall("sys_bind");
/** `sys_bpf(int cmd, union bpf_attr * uattr, unsigned int size)` */
export const sys_bpf: SystemCall<
  "sys_bpf",
  { cmd: "number"; uattr: "address"; size: "number" }
> = syscall("sys_bpf");
/** `sys_brk(unsigned long brk)` */
export const sys_brk: SystemCall<"sys_brk", { brk: "number" }> = syscall(
  "sys_brk",
);
/** `sys_cachestat(unsigned int fd, struct cachestat_range * cstat_range, struct cachestat * cstat, unsigned int flags)` */
export const sys_cachestat: SystemCall<
  "sys_cachestat",
  { fd: "number"; cstat_range: "address"; cstat: "address"; flags: "number" }
> = syscall("sys_cachestat");
/** `sys_capget(cap_user_header_t header, cap_user_data_t dataptr)` */
export const sys_capget: SystemCall<
  "sys_capget",
  { header: "number"; dataptr: "number" }
> = syscall("sys_capget");
/** `sys_capset(cap_user_header_t header, const cap_user_data_t data)` */
export const sys_capset: SystemCall<
  "sys_capset",
  { header: "number"; data: "number" }
> = syscall("sys_capset");
/** `sys_chdir(const char * filename)` */
export const sys_chdir: SystemCall<"sys_chdir", { filename: "text" }> = syscall(
  "sys_chdir",
);
/** `sys_chmod(const char * filename, umode_t mode)` */
export const sys_chmod: SystemCall<
  "sys_chmod",
  { filename: "text"; mode: "number" }
> = syscall("sys_chmod");
/** `sys_chown(const char * filename, uid_t user, gid_t group)` */
export const sys_chown: SystemCall<
  "sys_chown",
  { filename: "text"; user: "number"; group: "number" }
> = syscall("sys_chown");
/** `sys_chroot(const char * filename)` */
export const sys_chroot: SystemCall<"sys_chroot", { filename: "text" }> =
  syscall("sys_chroot");
/** `sys_clock_adjtime(const clockid_t which_clock, struct __kernel_timex * utx)` */
export const sys_clock_adjtime: SystemCall<
  "sys_clock_adjtime",
  { which_clock: "number"; utx: "address" }
> = syscall("sys_clock_adjtime");
/** `sys_clock_getres(const clockid_t which_clock, struct __kernel_timespec * tp)` */
export const sys_clock_getres: SystemCall<
  "sys_clock_getres",
  { which_clock: "number"; tp: "address" }
> = syscall("sys_clock_getres");
/** `sys_clock_gettime(const clockid_t which_clock, struct __kernel_timespec * tp)` */
export const sys_clock_gettime: SystemCall<
  "sys_clock_gettime",
  { which_clock: "number"; tp: "address" }
> = syscall("sys_clock_gettime");
/** `sys_clock_nanosleep(const clockid_t which_clock, int flags, const struct __kernel_timespec * rqtp, struct __kernel_timespec * rmtp)` */
export const sys_clock_nanosleep: SystemCall<
  "sys_clock_nanosleep",
  { which_clock: "number"; flags: "number"; rqtp: "address"; rmtp: "address" }
> = syscall("sys_clock_nanosleep");
/** `sys_clock_settime(const clockid_t which_clock, const struct __kernel_timespec * tp)` */
export const sys_clock_settime: SystemCall<
  "sys_clock_settime",
  { which_clock: "number"; tp: "address" }
> = syscall("sys_clock_settime");
/** `sys_clone(unsigned long clone_flags, unsigned long newsp, int * parent_tidptr, int * child_tidptr, unsigned long tls)` */
export const sys_clone: SystemCall<
  "sys_clone",
  {
    clone_flags: "number";
    newsp: "number";
    parent_tidptr: "address";
    child_tidptr: "address";
    tls: "number";
  }
> = syscall("sys_clone");
/** `sys_clone3(struct clone_args * uargs, size_t size)` */
export const sys_clone3: SystemCall<
  "sys_clone3",
  { uargs: "address"; size: "size" }
> = syscall("sys_clone3");
/** `sys_close(unsigned int fd)` */
export const sys_close: SystemCall<"sys_close", { fd: "number" }> = syscall(
  "sys_close",
);
/** `sys_close_range(unsigned int fd, unsigned int max_fd, unsigned int flags)` */
export const sys_close_range: SystemCall<
  "sys_close_range",
  { fd: "number"; max_fd: "number"; flags: "number" }
> = syscall("sys_close_range");
/** `sys_connect(int fd, struct sockaddr * uservaddr, int addrlen)` */
export const sys_connect: SystemCall<
  "sys_connect",
  { fd: "number"; uservaddr: "address"; addrlen: "number" }
> = syscall("sys_connect");
/** `sys_copy_file_range(int fd_in, loff_t * off_in, int fd_out, loff_t * off_out, size_t len, unsigned int flags)` */
export const sys_copy_file_range: SystemCall<
  "sys_copy_file_range",
  {
    fd_in: "number";
    off_in: "address";
    fd_out: "number";
    off_out: "address";
    len: "size";
    flags: "number";
  }
> = syscall("sys_copy_file_range");
/** `sys_creat(const char * pathname, umode_t mode)` */
export const sys_creat: SystemCall<
  "sys_creat",
  { pathname: "text"; mode: "number" }
> = syscall("sys_creat");
/** `sys_delete_module(const char * name_user, unsigned int flags)` */
export const sys_delete_module: SystemCall<
  "sys_delete_module",
  { name_user: "text"; flags: "number" }
> = syscall("sys_delete_module");
/** `sys_dup(unsigned int fildes)` */
export const sys_dup: SystemCall<"sys_dup", { fildes: "number" }> = syscall(
  "sys_dup",
);
/** `sys_dup2(unsigned int oldfd, unsigned int newfd)` */
export const sys_dup2: SystemCall<
  "sys_dup2",
  { oldfd: "number"; newfd: "number" }
> = syscall("sys_dup2");
/** `sys_dup3(unsigned int oldfd, unsigned int newfd, int flags)` */
export const sys_dup3: SystemCall<
  "sys_dup3",
  { oldfd: "number"; newfd: "number"; flags: "number" }
> = syscall("sys_dup3");
/** `sys_epoll_create(int size)` */
export const sys_epoll_create: SystemCall<
  "sys_epoll_create",
  { size: "number" }
> = syscall("sys_epoll_create");
/** `sys_epoll_create1(int flags)` */
export const sys_epoll_create1: SystemCall<
  "sys_epoll_create1",
  { flags: "number" }
> = syscall("sys_epoll_create1");
/** `sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event * event)` */
export const sys_epoll_ctl: SystemCall<
  "sys_epoll_ctl",
  { epfd: "number"; op: "number"; fd: "number"; event: "address" }
> = syscall("sys_epoll_ctl");
/** `sys_epoll_pwait(int epfd, struct epoll_event * events, int maxevents, int timeout, const sigset_t * sigmask, size_t sigsetsize)` */
export const sys_epoll_pwait: SystemCall<
  "sys_epoll_pwait",
  {
    epfd: "number";
    events: "address";
    maxevents: "number";
    timeout: "number";
    sigmask: "address";
    sigsetsize: "size";
  }
> = syscall("sys_epoll_pwait");
/** `sys_epoll_pwait2(int epfd, struct epoll_event * events, int maxevents, const struct __kernel_timespec * timeout, const sigset_t * sigmask, size_t sigsetsize)` */
export const sys_epoll_pwait2: SystemCall<
  "sys_epoll_pwait2",
  {
    epfd: "number";
    events: "address";
    maxevents: "number";
    timeout: "address";
    sigmask: "address";
    sigsetsize: "size";
  }
> = syscall("sys_epoll_pwait2");
/** `sys_epoll_wait(int epfd, struct epoll_event * events, int maxevents, int timeout)` */
export const sys_epoll_wait: SystemCall<
  "sys_epoll_wait",
  { epfd: "number"; events: "address"; maxevents: "number"; timeout: "number" }
> = syscall("sys_epoll_wait");
/** `sys_eventfd(unsigned int count)` */
export const sys_eventfd: SystemCall<"sys_eventfd", { count: "number" }> =
  syscall("sys_eventfd");
/** `sys_eventfd2(unsigned int count, int flags)` */
export const sys_eventfd2: SystemCall<
  "sys_eventfd2",
  { count: "number"; flags: "number" }
> = syscall("sys_eventfd2");
/** `sys_execve(const char * filename, const char *const * argv, const char *const * envp)` */
export const sys_execve: SystemCall<
  "sys_execve",
  { filename: "text"; argv: "address"; envp: "address" }
> = syscall("sys_execve");
/** `sys_execveat(int fd, const char * filename, const char *const * argv, const char *const * envp, int flags)` */
export const sys_execveat: SystemCall<
  "sys_execveat",
  {
    fd: "number";
    filename: "text";
    argv: "address";
    envp: "address";
    flags: "number";
  }
> = syscall("sys_execveat");
/** `sys_exit(int error_code)` */
export const sys_exit: SystemCall<"sys_exit", { error_code: "number" }> =
  syscall("sys_exit");
/** `sys_exit_group(int error_code)` */
export const sys_exit_group: SystemCall<
  "sys_exit_group",
  { error_code: "number" }
> = syscall("sys_exit_group");
/** `sys_faccessat(int dfd, const char * filename, int mode)` */
export const sys_faccessat: SystemCall<
  "sys_faccessat",
  { dfd: "number"; filename: "text"; mode: "number" }
> = syscall("sys_faccessat");
/** `sys_faccessat2(int dfd, const char * filename, int mode, int flags)` */
export const sys_faccessat2: SystemCall<
  "sys_faccessat2",
  { dfd: "number"; filename: "text"; mode: "number"; flags: "number" }
> = syscall("sys_faccessat2");
/** `sys_fadvise64(int fd, loff_t offset, size_t len, int advice)` */
export const sys_fadvise64: SystemCall<
  "sys_fadvise64",
  { fd: "number"; offset: "number"; len: "size"; advice: "number" }
> = syscall("sys_fadvise64");
/** `sys_fallocate(int fd, int mode, loff_t offset, loff_t len)` */
export const sys_fallocate: SystemCall<
  "sys_fallocate",
  { fd: "number"; mode: "number"; offset: "number"; len: "number" }
> = syscall("sys_fallocate");
/** `sys_fanotify_init(unsigned int flags, unsigned int event_f_flags)` */
export const sys_fanotify_init: SystemCall<
  "sys_fanotify_init",
  { flags: "number"; event_f_flags: "number" }
> = syscall("sys_fanotify_init");
/** `sys_fanotify_mark(int fanotify_fd, unsigned int flags, __u64 mask, int dfd, const char * pathname)` */
export const sys_fanotify_mark: SystemCall<
  "sys_fanotify_mark",
  {
    fanotify_fd: "number";
    flags: "number";
    mask: "number";
    dfd: "number";
    pathname: "text";
  }
> = syscall("sys_fanotify_mark");
/** `sys_fchdir(unsigned int fd)` */
export const sys_fchdir: SystemCall<"sys_fchdir", { fd: "number" }> = syscall(
  "sys_fchdir",
);
/** `sys_fchmod(unsigned int fd, umode_t mode)` */
export const sys_fchmod: SystemCall<
  "sys_fchmod",
  { fd: "number"; mode: "number" }
> = syscall("sys_fchmod");
/** `sys_fchmodat(int dfd, const char * filename, umode_t mode)` */
export const sys_fchmodat: SystemCall<
  "sys_fchmodat",
  { dfd: "number"; filename: "text"; mode: "number" }
> = syscall("sys_fchmodat");
/** `sys_fchmodat2(int dfd, const char * filename, umode_t mode, unsigned int flags)` */
export const sys_fchmodat2: SystemCall<
  "sys_fchmodat2",
  { dfd: "number"; filename: "text"; mode: "number"; flags: "number" }
> = syscall("sys_fchmodat2");
/** `sys_fchown(unsigned int fd, uid_t user, gid_t group)` */
export const sys_fchown: SystemCall<
  "sys_fchown",
  { fd: "number"; user: "number"; group: "number" }
> = syscall("sys_fchown");
/** `sys_fchownat(int dfd, const char * filename, uid_t user, gid_t group, int flag)` */
export const sys_fchownat: SystemCall<
  "sys_fchownat",
  {
    dfd: "number";
    filename: "text";
    user: "number";
    group: "number";
    flag: "number";
  }
> = syscall("sys_fchownat");
/** `sys_fcntl(unsigned int fd, unsigned int cmd, unsigned long arg)` */
export const sys_fcntl: SystemCall<
  "sys_fcntl",
  { fd: "number"; cmd: "number"; arg: "number" }
> = syscall("sys_fcntl");
/** `sys_fdatasync(unsigned int fd)` */
export const sys_fdatasync: SystemCall<"sys_fdatasync", { fd: "number" }> =
  syscall("sys_fdatasync");
/** `sys_fgetxattr(int fd, const char * name, void * value, size_t size)` */
export const sys_fgetxattr: SystemCall<
  "sys_fgetxattr",
  { fd: "number"; name: "text"; value: "address"; size: "size" }
> = syscall("sys_fgetxattr");
/** `sys_finit_module(int fd, const char * uargs, int flags)` */
export const sys_finit_module: SystemCall<
  "sys_finit_module",
  { fd: "number"; uargs: "address"; flags: "number" }
> = syscall("sys_finit_module");
/** `sys_flistxattr(int fd, char * list, size_t size)` */
export const sys_flistxattr: SystemCall<
  "sys_flistxattr",
  { fd: "number"; list: "address"; size: "size" }
> = syscall("sys_flistxattr");
/** `sys_flock(unsigned int fd, unsigned int cmd)` */
export const sys_flock: SystemCall<
  "sys_flock",
  { fd: "number"; cmd: "number" }
> = syscall("sys_flock");
/** `sys_fork()` */
export const sys_fork: SystemCall<"sys_fork", Empty> = syscall("sys_fork");
/** `sys_fremovexattr(int fd, const char * name)` */
export const sys_fremovexattr: SystemCall<
  "sys_fremovexattr",
  { fd: "number"; name: "text" }
> = syscall("sys_fremovexattr");
/** `sys_fsconfig(int fd, unsigned int cmd, const char * _key, const void * _value, int aux)` */
export const sys_fsconfig: SystemCall<
  "sys_fsconfig",
  {
    fd: "number";
    cmd: "number";
    _key: "text";
    _value: "address";
    aux: "number";
  }
> = syscall("sys_fsconfig");
/** `sys_fsetxattr(int fd, const char * name, const void * value, size_t size, int flags)` */
export const sys_fsetxattr: SystemCall<
  "sys_fsetxattr",
  {
    fd: "number";
    name: "text";
    value: "address";
    size: "size";
    flags: "number";
  }
> = syscall("sys_fsetxattr");
/** `sys_fsmount(int fs_fd, unsigned int flags, unsigned int attr_flags)` */
export const sys_fsmount: SystemCall<
  "sys_fsmount",
  { fs_fd: "number"; flags: "number"; attr_flags: "number" }
> = syscall("sys_fsmount");
/** `sys_fsopen(const char * _fs_name, unsigned int flags)` */
export const sys_fsopen: SystemCall<
  "sys_fsopen",
  { _fs_name: "text"; flags: "number" }
> = syscall("sys_fsopen");
/** `sys_fspick(int dfd, const char * path, unsigned int flags)` */
export const sys_fspick: SystemCall<
  "sys_fspick",
  { dfd: "number"; path: "text"; flags: "number" }
> = syscall("sys_fspick");
/** `sys_fstatfs(unsigned int fd, struct statfs * buf)` */
export const sys_fstatfs: SystemCall<
  "sys_fstatfs",
  { fd: "number"; buf: "address" }
> = syscall("sys_fstatfs");
/** `sys_fsync(unsigned int fd)` */
export const sys_fsync: SystemCall<"sys_fsync", { fd: "number" }> = syscall(
  "sys_fsync",
);
/** `sys_ftruncate(unsigned int fd, off_t length)` */
export const sys_ftruncate: SystemCall<
  "sys_ftruncate",
  { fd: "number"; length: "number" }
> = syscall("sys_ftruncate");
/** `sys_futex(u32 * uaddr, int op, u32 val, const struct __kernel_timespec * utime, u32 * uaddr2, u32 val3)` */
export const sys_futex: SystemCall<
  "sys_futex",
  {
    uaddr: "address";
    op: "number";
    val: "number";
    utime: "address";
    uaddr2: "address";
    val3: "number";
  }
> = syscall("sys_futex");
/** `sys_futex_requeue(struct futex_waitv * waiters, unsigned int flags, int nr_wake, int nr_requeue)` */
export const sys_futex_requeue: SystemCall<
  "sys_futex_requeue",
  {
    waiters: "address";
    flags: "number";
    nr_wake: "number";
    nr_requeue: "number";
  }
> = syscall("sys_futex_requeue");
/** `sys_futex_wait(void * uaddr, unsigned long val, unsigned long mask, unsigned int flags, struct __kernel_timespec * timeout, clockid_t clockid)` */
export const sys_futex_wait: SystemCall<
  "sys_futex_wait",
  {
    uaddr: "address";
    val: "number";
    mask: "number";
    flags: "number";
    timeout: "address";
    clockid: "number";
  }
> = syscall("sys_futex_wait");
/** `sys_futex_waitv(struct futex_waitv * waiters, unsigned int nr_futexes, unsigned int flags, struct __kernel_timespec * timeout, clockid_t clockid)` */
export const sys_futex_waitv: SystemCall<
  "sys_futex_waitv",
  {
    waiters: "address";
    nr_futexes: "number";
    flags: "number";
    timeout: "address";
    clockid: "number";
  }
> = syscall("sys_futex_waitv");
/** `sys_futex_wake(void * uaddr, unsigned long mask, int nr, unsigned int flags)` */
export const sys_futex_wake: SystemCall<
  "sys_futex_wake",
  { uaddr: "address"; mask: "number"; nr: "number"; flags: "number" }
> = syscall("sys_futex_wake");
/** `sys_futimesat(int dfd, const char * filename, struct __kernel_old_timeval * utimes)` */
export const sys_futimesat: SystemCall<
  "sys_futimesat",
  { dfd: "number"; filename: "text"; utimes: "address" }
> = syscall("sys_futimesat");
/** `sys_get_mempolicy(int * policy, unsigned long * nmask, unsigned long maxnode, unsigned long addr, unsigned long flags)` */
export const sys_get_mempolicy: SystemCall<
  "sys_get_mempolicy",
  {
    policy: "address";
    nmask: "address";
    maxnode: "number";
    addr: "number";
    flags: "number";
  }
> = syscall("sys_get_mempolicy");
/** `sys_get_robust_list(int pid, struct robust_list_head * * head_ptr, size_t * len_ptr)` */
export const sys_get_robust_list: SystemCall<
  "sys_get_robust_list",
  { pid: "number"; head_ptr: "address"; len_ptr: "address" }
> = syscall("sys_get_robust_list");
/** `sys_getcpu(unsigned * cpup, unsigned * nodep, struct getcpu_cache * unused)` */
export const sys_getcpu: SystemCall<
  "sys_getcpu",
  { cpup: "address"; nodep: "address"; unused: "address" }
> = syscall("sys_getcpu");
/** `sys_getcwd(char * buf, unsigned long size)` */
export const sys_getcwd: SystemCall<
  "sys_getcwd",
  { buf: "address"; size: "number" }
> = syscall("sys_getcwd");
/** `sys_getdents(unsigned int fd, struct linux_dirent * dirent, unsigned int count)` */
export const sys_getdents: SystemCall<
  "sys_getdents",
  { fd: "number"; dirent: "address"; count: "number" }
> = syscall("sys_getdents");
/** `sys_getdents64(unsigned int fd, struct linux_dirent64 * dirent, unsigned int count)` */
export const sys_getdents64: SystemCall<
  "sys_getdents64",
  { fd: "number"; dirent: "address"; count: "number" }
> = syscall("sys_getdents64");
/** `sys_getegid()` */
export const sys_getegid: SystemCall<"sys_getegid", Empty> = syscall(
  "sys_getegid",
);
/** `sys_geteuid()` */
export const sys_geteuid: SystemCall<"sys_geteuid", Empty> = syscall(
  "sys_geteuid",
);
/** `sys_getgid()` */
export const sys_getgid: SystemCall<"sys_getgid", Empty> = syscall(
  "sys_getgid",
);
/** `sys_getgroups(int gidsetsize, gid_t * grouplist)` */
export const sys_getgroups: SystemCall<
  "sys_getgroups",
  { gidsetsize: "number"; grouplist: "address" }
> = syscall("sys_getgroups");
/** `sys_getitimer(int which, struct __kernel_old_itimerval * value)` */
export const sys_getitimer: SystemCall<
  "sys_getitimer",
  { which: "number"; value: "address" }
> = syscall("sys_getitimer");
/** `sys_getpeername(int fd, struct sockaddr * usockaddr, int * usockaddr_len)` */
export const sys_getpeername: SystemCall<
  "sys_getpeername",
  { fd: "number"; usockaddr: "address"; usockaddr_len: "address" }
> = syscall("sys_getpeername");
/** `sys_getpgid(pid_t pid)` */
export const sys_getpgid: SystemCall<"sys_getpgid", { pid: "number" }> =
  syscall("sys_getpgid");
/** `sys_getpgrp()` */
export const sys_getpgrp: SystemCall<"sys_getpgrp", Empty> = syscall(
  "sys_getpgrp",
);
/** `sys_getpid()` */
export const sys_getpid: SystemCall<"sys_getpid", Empty> = syscall(
  "sys_getpid",
);
/** `sys_getppid()` */
export const sys_getppid: SystemCall<"sys_getppid", Empty> = syscall(
  "sys_getppid",
);
/** `sys_getpriority(int which, int who)` */
export const sys_getpriority: SystemCall<
  "sys_getpriority",
  { which: "number"; who: "number" }
> = syscall("sys_getpriority");
/** `sys_getrandom(char * ubuf, size_t len, unsigned int flags)` */
export const sys_getrandom: SystemCall<
  "sys_getrandom",
  { ubuf: "address"; len: "size"; flags: "number" }
> = syscall("sys_getrandom");
/** `sys_getresgid(gid_t * rgidp, gid_t * egidp, gid_t * sgidp)` */
export const sys_getresgid: SystemCall<
  "sys_getresgid",
  { rgidp: "address"; egidp: "address"; sgidp: "address" }
> = syscall("sys_getresgid");
/** `sys_getresuid(uid_t * ruidp, uid_t * euidp, uid_t * suidp)` */
export const sys_getresuid: SystemCall<
  "sys_getresuid",
  { ruidp: "address"; euidp: "address"; suidp: "address" }
> = syscall("sys_getresuid");
/** `sys_getrlimit(unsigned int resource, struct rlimit * rlim)` */
export const sys_getrlimit: SystemCall<
  "sys_getrlimit",
  { resource: "number"; rlim: "address" }
> = syscall("sys_getrlimit");
/** `sys_getrusage(int who, struct rusage * ru)` */
export const sys_getrusage: SystemCall<
  "sys_getrusage",
  { who: "number"; ru: "address" }
> = syscall("sys_getrusage");
/** `sys_getsid(pid_t pid)` */
export const sys_getsid: SystemCall<"sys_getsid", { pid: "number" }> = syscall(
  "sys_getsid",
);
/** `sys_getsockname(int fd, struct sockaddr * usockaddr, int * usockaddr_len)` */
export const sys_getsockname: SystemCall<
  "sys_getsockname",
  { fd: "number"; usockaddr: "address"; usockaddr_len: "address" }
> = syscall("sys_getsockname");
/** `sys_getsockopt(int fd, int level, int optname, char * optval, int * optlen)` */
export const sys_getsockopt: SystemCall<
  "sys_getsockopt",
  {
    fd: "number";
    level: "number";
    optname: "number";
    optval: "address";
    optlen: "address";
  }
> = syscall("sys_getsockopt");
/** `sys_gettid()` */
export const sys_gettid: SystemCall<"sys_gettid", Empty> = syscall(
  "sys_gettid",
);
/** `sys_gettimeofday(struct __kernel_old_timeval * tv, struct timezone * tz)` */
export const sys_gettimeofday: SystemCall<
  "sys_gettimeofday",
  { tv: "address"; tz: "address" }
> = syscall("sys_gettimeofday");
/** `sys_getuid()` */
export const sys_getuid: SystemCall<"sys_getuid", Empty> = syscall(
  "sys_getuid",
);
/** `sys_getxattr(const char * pathname, const char * name, void * value, size_t size)` */
export const sys_getxattr: SystemCall<
  "sys_getxattr",
  { pathname: "text"; name: "text"; value: "address"; size: "size" }
> = syscall("sys_getxattr");
/** `sys_init_module(void * umod, unsigned long len, const char * uargs)` */
export const sys_init_module: SystemCall<
  "sys_init_module",
  { umod: "address"; len: "number"; uargs: "address" }
> = syscall("sys_init_module");
/** `sys_inotify_add_watch(int fd, const char * pathname, u32 mask)` */
export const sys_inotify_add_watch: SystemCall<
  "sys_inotify_add_watch",
  { fd: "number"; pathname: "text"; mask: "number" }
> = syscall("sys_inotify_add_watch");
/** `sys_inotify_init()` */
export const sys_inotify_init: SystemCall<"sys_inotify_init", Empty> = syscall(
  "sys_inotify_init",
);
/** `sys_inotify_init1(int flags)` */
export const sys_inotify_init1: SystemCall<
  "sys_inotify_init1",
  { flags: "number" }
> = syscall("sys_inotify_init1");
/** `sys_inotify_rm_watch(int fd, __s32 wd)` */
export const sys_inotify_rm_watch: SystemCall<
  "sys_inotify_rm_watch",
  { fd: "number"; wd: "number" }
> = syscall("sys_inotify_rm_watch");
/** `sys_io_cancel(aio_context_t ctx_id, struct iocb * iocb, struct io_event * result)` */
export const sys_io_cancel: SystemCall<
  "sys_io_cancel",
  { ctx_id: "number"; iocb: "address"; result: "address" }
> = syscall("sys_io_cancel");
/** `sys_io_destroy(aio_context_t ctx)` */
export const sys_io_destroy: SystemCall<"sys_io_destroy", { ctx: "number" }> =
  syscall("sys_io_destroy");
/** `sys_io_getevents(aio_context_t ctx_id, long min_nr, long nr, struct io_event * events, struct __kernel_timespec * timeout)` */
export const sys_io_getevents: SystemCall<
  "sys_io_getevents",
  {
    ctx_id: "number";
    min_nr: "number";
    nr: "number";
    events: "address";
    timeout: "address";
  }
> = syscall("sys_io_getevents");
/** `sys_io_pgetevents(aio_context_t ctx_id, long min_nr, long nr, struct io_event * events, struct __kernel_timespec * timeout, const struct __aio_sigset * usig)` */
export const sys_io_pgetevents: SystemCall<
  "sys_io_pgetevents",
  {
    ctx_id: "number";
    min_nr: "number";
    nr: "number";
    events: "address";
    timeout: "address";
    usig: "address";
  }
> = syscall("sys_io_pgetevents");
/** `sys_io_setup(unsigned nr_events, aio_context_t * ctxp)` */
export const sys_io_setup: SystemCall<
  "sys_io_setup",
  { nr_events: "number"; ctxp: "address" }
> = syscall("sys_io_setup");
/** `sys_io_submit(aio_context_t ctx_id, long nr, struct iocb * * iocbpp)` */
export const sys_io_submit: SystemCall<
  "sys_io_submit",
  { ctx_id: "number"; nr: "number"; iocbpp: "address" }
> = syscall("sys_io_submit");
/** `sys_io_uring_enter(unsigned int fd, u32 to_submit, u32 min_complete, u32 flags, const void * argp, size_t argsz)` */
export const sys_io_uring_enter: SystemCall<
  "sys_io_uring_enter",
  {
    fd: "number";
    to_submit: "number";
    min_complete: "number";
    flags: "number";
    argp: "address";
    argsz: "size";
  }
> = syscall("sys_io_uring_enter");
/** `sys_io_uring_register(unsigned int fd, unsigned int opcode, void * arg, unsigned int nr_args)` */
export const sys_io_uring_register: SystemCall<
  "sys_io_uring_register",
  { fd: "number"; opcode: "number"; arg: "address"; nr_args: "number" }
> = syscall("sys_io_uring_register");
/** `sys_io_uring_setup(u32 entries, struct io_uring_params * params)` */
export const sys_io_uring_setup: SystemCall<
  "sys_io_uring_setup",
  { entries: "number"; params: "address" }
> = syscall("sys_io_uring_setup");
/** `sys_ioctl(unsigned int fd, unsigned int cmd, unsigned long arg)` */
export const sys_ioctl: SystemCall<
  "sys_ioctl",
  { fd: "number"; cmd: "number"; arg: "number" }
> = syscall("sys_ioctl");
/** `sys_ioperm(unsigned long from, unsigned long num, int turn_on)` */
export const sys_ioperm: SystemCall<
  "sys_ioperm",
  { from: "number"; num: "number"; turn_on: "number" }
> = syscall("sys_ioperm");
/** `sys_iopl(unsigned int level)` */
export const sys_iopl: SystemCall<"sys_iopl", { level: "number" }> = syscall(
  "sys_iopl",
);
/** `sys_ioprio_get(int which, int who)` */
export const sys_ioprio_get: SystemCall<
  "sys_ioprio_get",
  { which: "number"; who: "number" }
> = syscall("sys_ioprio_get");
/** `sys_ioprio_set(int which, int who, int ioprio)` */
export const sys_ioprio_set: SystemCall<
  "sys_ioprio_set",
  { which: "number"; who: "number"; ioprio: "number" }
> = syscall("sys_ioprio_set");
/** `sys_kcmp(pid_t pid1, pid_t pid2, int type, unsigned long idx1, unsigned long idx2)` */
export const sys_kcmp: SystemCall<
  "sys_kcmp",
  {
    pid1: "number";
    pid2: "number";
    type: "number";
    idx1: "number";
    idx2: "number";
  }
> = syscall("sys_kcmp");
/** `sys_kexec_file_load(int kernel_fd, int initrd_fd, unsigned long cmdline_len, const char * cmdline_ptr, unsigned long flags)` */
export const sys_kexec_file_load: SystemCall<
  "sys_kexec_file_load",
  {
    kernel_fd: "number";
    initrd_fd: "number";
    cmdline_len: "number";
    cmdline_ptr: "text";
    flags: "number";
  }
> = syscall("sys_kexec_file_load");
/** `sys_kexec_load(unsigned long entry, unsigned long nr_segments, struct kexec_segment * segments, unsigned long flags)` */
export const sys_kexec_load: SystemCall<
  "sys_kexec_load",
  {
    entry: "number";
    nr_segments: "number";
    segments: "address";
    flags: "number";
  }
> = syscall("sys_kexec_load");
/** `sys_keyctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)` */
export const sys_keyctl: SystemCall<
  "sys_keyctl",
  {
    option: "number";
    arg2: "number";
    arg3: "number";
    arg4: "number";
    arg5: "number";
  }
> = syscall("sys_keyctl");
/** `sys_kill(pid_t pid, int sig)` */
export const sys_kill: SystemCall<
  "sys_kill",
  { pid: "number"; sig: "number" }
> = syscall("sys_kill");
/** `sys_landlock_add_rule(const int ruleset_fd, const enum landlock_rule_type rule_type, const void *const rule_attr, const __u32 flags)` */
export const sys_landlock_add_rule: SystemCall<
  "sys_landlock_add_rule",
  {
    ruleset_fd: "number";
    rule_type: "number";
    rule_attr: "address";
    flags: "number";
  }
> = syscall("sys_landlock_add_rule");
/** `sys_landlock_create_ruleset(const struct landlock_ruleset_attr *const attr, const size_t size, const __u32 flags)` */
export const sys_landlock_create_ruleset: SystemCall<
  "sys_landlock_create_ruleset",
  { attr: "address"; size: "size"; flags: "number" }
> = syscall("sys_landlock_create_ruleset");
/** `sys_landlock_restrict_self(const int ruleset_fd, const __u32 flags)` */
export const sys_landlock_restrict_self: SystemCall<
  "sys_landlock_restrict_self",
  { ruleset_fd: "number"; flags: "number" }
> = syscall("sys_landlock_restrict_self");
/** `sys_lchown(const char * filename, uid_t user, gid_t group)` */
export const sys_lchown: SystemCall<
  "sys_lchown",
  { filename: "text"; user: "number"; group: "number" }
> = syscall("sys_lchown");
/** `sys_lgetxattr(const char * pathname, const char * name, void * value, size_t size)` */
export const sys_lgetxattr: SystemCall<
  "sys_lgetxattr",
  { pathname: "text"; name: "text"; value: "address"; size: "size" }
> = syscall("sys_lgetxattr");
/** `sys_link(const char * oldname, const char * newname)` */
export const sys_link: SystemCall<
  "sys_link",
  { oldname: "text"; newname: "text" }
> = syscall("sys_link");
/** `sys_linkat(int olddfd, const char * oldname, int newdfd, const char * newname, int flags)` */
export const sys_linkat: SystemCall<
  "sys_linkat",
  {
    olddfd: "number";
    oldname: "text";
    newdfd: "number";
    newname: "text";
    flags: "number";
  }
> = syscall("sys_linkat");
/** `sys_listen(int fd, int backlog)` */
export const sys_listen: SystemCall<
  "sys_listen",
  { fd: "number"; backlog: "number" }
> = syscall("sys_listen");
/** `sys_listmount(const struct mnt_id_req * req, u64 * mnt_ids, size_t nr_mnt_ids, unsigned int flags)` */
export const sys_listmount: SystemCall<
  "sys_listmount",
  { req: "address"; mnt_ids: "address"; nr_mnt_ids: "size"; flags: "number" }
> = syscall("sys_listmount");
/** `sys_listxattr(const char * pathname, char * list, size_t size)` */
export const sys_listxattr: SystemCall<
  "sys_listxattr",
  { pathname: "text"; list: "address"; size: "size" }
> = syscall("sys_listxattr");
/** `sys_llistxattr(const char * pathname, char * list, size_t size)` */
export const sys_llistxattr: SystemCall<
  "sys_llistxattr",
  { pathname: "text"; list: "address"; size: "size" }
> = syscall("sys_llistxattr");
/** `sys_lremovexattr(const char * pathname, const char * name)` */
export const sys_lremovexattr: SystemCall<
  "sys_lremovexattr",
  { pathname: "text"; name: "text" }
> = syscall("sys_lremovexattr");
/** `sys_lseek(unsigned int fd, off_t offset, unsigned int whence)` */
export const sys_lseek: SystemCall<
  "sys_lseek",
  { fd: "number"; offset: "number"; whence: "number" }
> = syscall("sys_lseek");
/** `sys_lsetxattr(const char * pathname, const char * name, const void * value, size_t size, int flags)` */
export const sys_lsetxattr: SystemCall<
  "sys_lsetxattr",
  {
    pathname: "text";
    name: "text";
    value: "address";
    size: "size";
    flags: "number";
  }
> = syscall("sys_lsetxattr");
/** `sys_lsm_get_self_attr(unsigned int attr, struct lsm_ctx * ctx, u32 * size, u32 flags)` */
export const sys_lsm_get_self_attr: SystemCall<
  "sys_lsm_get_self_attr",
  { attr: "number"; ctx: "address"; size: "address"; flags: "number" }
> = syscall("sys_lsm_get_self_attr");
/** `sys_lsm_list_modules(u64 * ids, u32 * size, u32 flags)` */
export const sys_lsm_list_modules: SystemCall<
  "sys_lsm_list_modules",
  { ids: "address"; size: "address"; flags: "number" }
> = syscall("sys_lsm_list_modules");
/** `sys_lsm_set_self_attr(unsigned int attr, struct lsm_ctx * ctx, u32 size, u32 flags)` */
export const sys_lsm_set_self_attr: SystemCall<
  "sys_lsm_set_self_attr",
  { attr: "number"; ctx: "address"; size: "number"; flags: "number" }
> = syscall("sys_lsm_set_self_attr");
/** `sys_madvise(unsigned long start, size_t len_in, int behavior)` */
export const sys_madvise: SystemCall<
  "sys_madvise",
  { start: "number"; len_in: "size"; behavior: "number" }
> = syscall("sys_madvise");
/** `sys_map_shadow_stack(unsigned long addr, unsigned long size, unsigned int flags)` */
export const sys_map_shadow_stack: SystemCall<
  "sys_map_shadow_stack",
  { addr: "number"; size: "number"; flags: "number" }
> = syscall("sys_map_shadow_stack");
/** `sys_mbind(unsigned long start, unsigned long len, unsigned long mode, const unsigned long * nmask, unsigned long maxnode, unsigned int flags)` */
export const sys_mbind: SystemCall<
  "sys_mbind",
  {
    start: "number";
    len: "number";
    mode: "number";
    nmask: "address";
    maxnode: "number";
    flags: "number";
  }
> = syscall("sys_mbind");
/** `sys_membarrier(int cmd, unsigned int flags, int cpu_id)` */
export const sys_membarrier: SystemCall<
  "sys_membarrier",
  { cmd: "number"; flags: "number"; cpu_id: "number" }
> = syscall("sys_membarrier");
/** `sys_memfd_create(const char * uname, unsigned int flags)` */
export const sys_memfd_create: SystemCall<
  "sys_memfd_create",
  { uname: "text"; flags: "number" }
> = syscall("sys_memfd_create");
/** `sys_memfd_secret(unsigned int flags)` */
export const sys_memfd_secret: SystemCall<
  "sys_memfd_secret",
  { flags: "number" }
> = syscall("sys_memfd_secret");
/** `sys_migrate_pages(pid_t pid, unsigned long maxnode, const unsigned long * old_nodes, const unsigned long * new_nodes)` */
export const sys_migrate_pages: SystemCall<
  "sys_migrate_pages",
  {
    pid: "number";
    maxnode: "number";
    old_nodes: "address";
    new_nodes: "address";
  }
> = syscall("sys_migrate_pages");
/** `sys_mincore(unsigned long start, size_t len, unsigned char * vec)` */
export const sys_mincore: SystemCall<
  "sys_mincore",
  { start: "number"; len: "size"; vec: "address" }
> = syscall("sys_mincore");
/** `sys_mkdir(const char * pathname, umode_t mode)` */
export const sys_mkdir: SystemCall<
  "sys_mkdir",
  { pathname: "text"; mode: "number" }
> = syscall("sys_mkdir");
/** `sys_mkdirat(int dfd, const char * pathname, umode_t mode)` */
export const sys_mkdirat: SystemCall<
  "sys_mkdirat",
  { dfd: "number"; pathname: "text"; mode: "number" }
> = syscall("sys_mkdirat");
/** `sys_mknod(const char * filename, umode_t mode, unsigned dev)` */
export const sys_mknod: SystemCall<
  "sys_mknod",
  { filename: "text"; mode: "number"; dev: "number" }
> = syscall("sys_mknod");
/** `sys_mknodat(int dfd, const char * filename, umode_t mode, unsigned int dev)` */
export const sys_mknodat: SystemCall<
  "sys_mknodat",
  { dfd: "number"; filename: "text"; mode: "number"; dev: "number" }
> = syscall("sys_mknodat");
/** `sys_mlock(unsigned long start, size_t len)` */
export const sys_mlock: SystemCall<
  "sys_mlock",
  { start: "number"; len: "size" }
> = syscall("sys_mlock");
/** `sys_mlock2(unsigned long start, size_t len, int flags)` */
export const sys_mlock2: SystemCall<
  "sys_mlock2",
  { start: "number"; len: "size"; flags: "number" }
> = syscall("sys_mlock2");
/** `sys_mlockall(int flags)` */
export const sys_mlockall: SystemCall<"sys_mlockall", { flags: "number" }> =
  syscall("sys_mlockall");
/** `sys_mmap(unsigned long addr, unsigned long len, unsigned long prot, unsigned long flags, unsigned long fd, unsigned long off)` */
export const sys_mmap: SystemCall<
  "sys_mmap",
  {
    addr: "number";
    len: "number";
    prot: "number";
    flags: "number";
    fd: "number";
    off: "number";
  }
> = syscall("sys_mmap");
/** `sys_modify_ldt(int func, void * ptr, unsigned long bytecount)` */
export const sys_modify_ldt: SystemCall<
  "sys_modify_ldt",
  { func: "number"; ptr: "address"; bytecount: "number" }
> = syscall("sys_modify_ldt");
/** `sys_mount(char * dev_name, char * dir_name, char * type, unsigned long flags, void * data)` */
export const sys_mount: SystemCall<
  "sys_mount",
  {
    dev_name: "address";
    dir_name: "address";
    type: "address";
    flags: "number";
    data: "address";
  }
> = syscall("sys_mount");
/** `sys_mount_setattr(int dfd, const char * path, unsigned int flags, struct mount_attr * uattr, size_t usize)` */
export const sys_mount_setattr: SystemCall<
  "sys_mount_setattr",
  {
    dfd: "number";
    path: "text";
    flags: "number";
    uattr: "address";
    usize: "size";
  }
> = syscall("sys_mount_setattr");
/** `sys_move_mount(int from_dfd, const char * from_pathname, int to_dfd, const char * to_pathname, unsigned int flags)` */
export const sys_move_mount: SystemCall<
  "sys_move_mount",
  {
    from_dfd: "number";
    from_pathname: "text";
    to_dfd: "number";
    to_pathname: "text";
    flags: "number";
  }
> = syscall("sys_move_mount");
/** `sys_move_pages(pid_t pid, unsigned long nr_pages, const void * * pages, const int * nodes, int * status, int flags)` */
export const sys_move_pages: SystemCall<
  "sys_move_pages",
  {
    pid: "number";
    nr_pages: "number";
    pages: "address";
    nodes: "address";
    status: "address";
    flags: "number";
  }
> = syscall("sys_move_pages");
/** `sys_mprotect(unsigned long start, size_t len, unsigned long prot)` */
export const sys_mprotect: SystemCall<
  "sys_mprotect",
  { start: "number"; len: "size"; prot: "number" }
> = syscall("sys_mprotect");
/** `sys_mq_getsetattr(mqd_t mqdes, const struct mq_attr * u_mqstat, struct mq_attr * u_omqstat)` */
export const sys_mq_getsetattr: SystemCall<
  "sys_mq_getsetattr",
  { mqdes: "number"; u_mqstat: "address"; u_omqstat: "address" }
> = syscall("sys_mq_getsetattr");
/** `sys_mq_notify(mqd_t mqdes, const struct sigevent * u_notification)` */
export const sys_mq_notify: SystemCall<
  "sys_mq_notify",
  { mqdes: "number"; u_notification: "address" }
> = syscall("sys_mq_notify");
/** `sys_mq_open(const char * u_name, int oflag, umode_t mode, struct mq_attr * u_attr)` */
export const sys_mq_open: SystemCall<
  "sys_mq_open",
  { u_name: "text"; oflag: "number"; mode: "number"; u_attr: "address" }
> = syscall("sys_mq_open");
/** `sys_mq_timedreceive(mqd_t mqdes, char * u_msg_ptr, size_t msg_len, unsigned int * u_msg_prio, const struct __kernel_timespec * u_abs_timeout)` */
export const sys_mq_timedreceive: SystemCall<
  "sys_mq_timedreceive",
  {
    mqdes: "number";
    u_msg_ptr: "address";
    msg_len: "size";
    u_msg_prio: "address";
    u_abs_timeout: "address";
  }
> = syscall("sys_mq_timedreceive");
/** `sys_mq_timedsend(mqd_t mqdes, const char * u_msg_ptr, size_t msg_len, unsigned int msg_prio, const struct __kernel_timespec * u_abs_timeout)` */
export const sys_mq_timedsend: SystemCall<
  "sys_mq_timedsend",
  {
    mqdes: "number";
    u_msg_ptr: "address";
    msg_len: "size";
    msg_prio: "number";
    u_abs_timeout: "address";
  }
> = syscall("sys_mq_timedsend");
/** `sys_mq_unlink(const char * u_name)` */
export const sys_mq_unlink: SystemCall<"sys_mq_unlink", { u_name: "text" }> =
  syscall("sys_mq_unlink");
/** `sys_mremap(unsigned long addr, unsigned long old_len, unsigned long new_len, unsigned long flags, unsigned long new_addr)` */
export const sys_mremap: SystemCall<
  "sys_mremap",
  {
    addr: "number";
    old_len: "number";
    new_len: "number";
    flags: "number";
    new_addr: "number";
  }
> = syscall("sys_mremap");
/** `sys_mseal(unsigned long start, size_t len, unsigned long flags)` */
export const sys_mseal: SystemCall<
  "sys_mseal",
  { start: "number"; len: "size"; flags: "number" }
> = syscall("sys_mseal");
/** `sys_msgctl(int msqid, int cmd, struct msqid_ds * buf)` */
export const sys_msgctl: SystemCall<
  "sys_msgctl",
  { msqid: "number"; cmd: "number"; buf: "address" }
> = syscall("sys_msgctl");
/** `sys_msgget(key_t key, int msgflg)` */
export const sys_msgget: SystemCall<
  "sys_msgget",
  { key: "number"; msgflg: "number" }
> = syscall("sys_msgget");
/** `sys_msgrcv(int msqid, struct msgbuf * msgp, size_t msgsz, long msgtyp, int msgflg)` */
export const sys_msgrcv: SystemCall<
  "sys_msgrcv",
  {
    msqid: "number";
    msgp: "address";
    msgsz: "size";
    msgtyp: "number";
    msgflg: "number";
  }
> = syscall("sys_msgrcv");
/** `sys_msgsnd(int msqid, struct msgbuf * msgp, size_t msgsz, int msgflg)` */
export const sys_msgsnd: SystemCall<
  "sys_msgsnd",
  { msqid: "number"; msgp: "address"; msgsz: "size"; msgflg: "number" }
> = syscall("sys_msgsnd");
/** `sys_msync(unsigned long start, size_t len, int flags)` */
export const sys_msync: SystemCall<
  "sys_msync",
  { start: "number"; len: "size"; flags: "number" }
> = syscall("sys_msync");
/** `sys_munlock(unsigned long start, size_t len)` */
export const sys_munlock: SystemCall<
  "sys_munlock",
  { start: "number"; len: "size" }
> = syscall("sys_munlock");
/** `sys_munlockall()` */
export const sys_munlockall: SystemCall<"sys_munlockall", Empty> = syscall(
  "sys_munlockall",
);
/** `sys_munmap(unsigned long addr, size_t len)` */
export const sys_munmap: SystemCall<
  "sys_munmap",
  { addr: "number"; len: "size" }
> = syscall("sys_munmap");
/** `sys_name_to_handle_at(int dfd, const char * name, struct file_handle * handle, void * mnt_id, int flag)` */
export const sys_name_to_handle_at: SystemCall<
  "sys_name_to_handle_at",
  {
    dfd: "number";
    name: "text";
    handle: "address";
    mnt_id: "address";
    flag: "number";
  }
> = syscall("sys_name_to_handle_at");
/** `sys_nanosleep(struct __kernel_timespec * rqtp, struct __kernel_timespec * rmtp)` */
export const sys_nanosleep: SystemCall<
  "sys_nanosleep",
  { rqtp: "address"; rmtp: "address" }
> = syscall("sys_nanosleep");
/** `sys_newfstat(unsigned int fd, struct stat * statbuf)` */
export const sys_newfstat: SystemCall<
  "sys_newfstat",
  { fd: "number"; statbuf: "address" }
> = syscall("sys_newfstat");
/** `sys_newfstatat(int dfd, const char * filename, struct stat * statbuf, int flag)` */
export const sys_newfstatat: SystemCall<
  "sys_newfstatat",
  { dfd: "number"; filename: "text"; statbuf: "address"; flag: "number" }
> = syscall("sys_newfstatat");
/** `sys_newlstat(const char * filename, struct stat * statbuf)` */
export const sys_newlstat: SystemCall<
  "sys_newlstat",
  { filename: "text"; statbuf: "address" }
> = syscall("sys_newlstat");
/** `sys_newstat(const char * filename, struct stat * statbuf)` */
export const sys_newstat: SystemCall<
  "sys_newstat",
  { filename: "text"; statbuf: "address" }
> = syscall("sys_newstat");
/** `sys_newuname(struct new_utsname * name)` */
export const sys_newuname: SystemCall<"sys_newuname", { name: "address" }> =
  syscall("sys_newuname");
/** `sys_open(const char * filename, int flags, umode_t mode)` */
export const sys_open: SystemCall<
  "sys_open",
  { filename: "text"; flags: "number"; mode: "number" }
> = syscall("sys_open");
/** `sys_open_by_handle_at(int mountdirfd, struct file_handle * handle, int flags)` */
export const sys_open_by_handle_at: SystemCall<
  "sys_open_by_handle_at",
  { mountdirfd: "number"; handle: "address"; flags: "number" }
> = syscall("sys_open_by_handle_at");
/** `sys_open_tree(int dfd, const char * filename, unsigned flags)` */
export const sys_open_tree: SystemCall<
  "sys_open_tree",
  { dfd: "number"; filename: "text"; flags: "number" }
> = syscall("sys_open_tree");
/** `sys_openat(int dfd, const char * filename, int flags, umode_t mode)` */
export const sys_openat: SystemCall<
  "sys_openat",
  { dfd: "number"; filename: "text"; flags: "number"; mode: "number" }
> = syscall("sys_openat");
/** `sys_openat2(int dfd, const char * filename, struct open_how * how, size_t usize)` */
export const sys_openat2: SystemCall<
  "sys_openat2",
  { dfd: "number"; filename: "text"; how: "address"; usize: "size" }
> = syscall("sys_openat2");
/** `sys_pause()` */
export const sys_pause: SystemCall<"sys_pause", Empty> = syscall("sys_pause");
/** `sys_perf_event_open(struct perf_event_attr * attr_uptr, pid_t pid, int cpu, int group_fd, unsigned long flags)` */
export const sys_perf_event_open: SystemCall<
  "sys_perf_event_open",
  {
    attr_uptr: "address";
    pid: "number";
    cpu: "number";
    group_fd: "number";
    flags: "number";
  }
> = syscall("sys_perf_event_open");
/** `sys_personality(unsigned int personality)` */
export const sys_personality: SystemCall<
  "sys_personality",
  { personality: "number" }
> = syscall("sys_personality");
/** `sys_pidfd_getfd(int pidfd, int fd, unsigned int flags)` */
export const sys_pidfd_getfd: SystemCall<
  "sys_pidfd_getfd",
  { pidfd: "number"; fd: "number"; flags: "number" }
> = syscall("sys_pidfd_getfd");
/** `sys_pidfd_open(pid_t pid, unsigned int flags)` */
export const sys_pidfd_open: SystemCall<
  "sys_pidfd_open",
  { pid: "number"; flags: "number" }
> = syscall("sys_pidfd_open");
/** `sys_pidfd_send_signal(int pidfd, int sig, siginfo_t * info, unsigned int flags)` */
export const sys_pidfd_send_signal: SystemCall<
  "sys_pidfd_send_signal",
  { pidfd: "number"; sig: "number"; info: "address"; flags: "number" }
> = syscall("sys_pidfd_send_signal");
/** `sys_pipe(int * fildes)` */
export const sys_pipe: SystemCall<"sys_pipe", { fildes: "address" }> = syscall(
  "sys_pipe",
);
/** `sys_pipe2(int * fildes, int flags)` */
export const sys_pipe2: SystemCall<
  "sys_pipe2",
  { fildes: "address"; flags: "number" }
> = syscall("sys_pipe2");
/** `sys_pivot_root(const char * new_root, const char * put_old)` */
export const sys_pivot_root: SystemCall<
  "sys_pivot_root",
  { new_root: "text"; put_old: "text" }
> = syscall("sys_pivot_root");
/** `sys_pkey_alloc(unsigned long flags, unsigned long init_val)` */
export const sys_pkey_alloc: SystemCall<
  "sys_pkey_alloc",
  { flags: "number"; init_val: "number" }
> = syscall("sys_pkey_alloc");
/** `sys_pkey_free(int pkey)` */
export const sys_pkey_free: SystemCall<"sys_pkey_free", { pkey: "number" }> =
  syscall("sys_pkey_free");
/** `sys_pkey_mprotect(unsigned long start, size_t len, unsigned long prot, int pkey)` */
export const sys_pkey_mprotect: SystemCall<
  "sys_pkey_mprotect",
  { start: "number"; len: "size"; prot: "number"; pkey: "number" }
> = syscall("sys_pkey_mprotect");
/** `sys_poll(struct pollfd * ufds, unsigned int nfds, int timeout_msecs)` */
export const sys_poll: SystemCall<
  "sys_poll",
  { ufds: "address"; nfds: "number"; timeout_msecs: "number" }
> = syscall("sys_poll");
/** `sys_ppoll(struct pollfd * ufds, unsigned int nfds, struct __kernel_timespec * tsp, const sigset_t * sigmask, size_t sigsetsize)` */
export const sys_ppoll: SystemCall<
  "sys_ppoll",
  {
    ufds: "address";
    nfds: "number";
    tsp: "address";
    sigmask: "address";
    sigsetsize: "size";
  }
> = syscall("sys_ppoll");
/** `sys_prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)` */
export const sys_prctl: SystemCall<
  "sys_prctl",
  {
    option: "number";
    arg2: "number";
    arg3: "number";
    arg4: "number";
    arg5: "number";
  }
> = syscall("sys_prctl");
/** `sys_pread64(unsigned int fd, char * buf, size_t count, loff_t pos)` */
export const sys_pread64: SystemCall<
  "sys_pread64",
  { fd: "number"; buf: "address"; count: "size"; pos: "number" }
> = syscall("sys_pread64");
/** `sys_preadv(unsigned long fd, const struct iovec * vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h)` */
export const sys_preadv: SystemCall<
  "sys_preadv",
  {
    fd: "number";
    vec: "address";
    vlen: "number";
    pos_l: "number";
    pos_h: "number";
  }
> = syscall("sys_preadv");
/** `sys_preadv2(unsigned long fd, const struct iovec * vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h, rwf_t flags)` */
export const sys_preadv2: SystemCall<
  "sys_preadv2",
  {
    fd: "number";
    vec: "address";
    vlen: "number";
    pos_l: "number";
    pos_h: "number";
    flags: "number";
  }
> = syscall("sys_preadv2");
/** `sys_prlimit64(pid_t pid, unsigned int resource, const struct rlimit64 * new_rlim, struct rlimit64 * old_rlim)` */
export const sys_prlimit64: SystemCall<
  "sys_prlimit64",
  {
    pid: "number";
    resource: "number";
    new_rlim: "address";
    old_rlim: "address";
  }
> = syscall("sys_prlimit64");
/** `sys_process_madvise(int pidfd, const struct iovec * vec, size_t vlen, int behavior, unsigned int flags)` */
export const sys_process_madvise: SystemCall<
  "sys_process_madvise",
  {
    pidfd: "number";
    vec: "address";
    vlen: "size";
    behavior: "number";
    flags: "number";
  }
> = syscall("sys_process_madvise");
/** `sys_process_mrelease(int pidfd, unsigned int flags)` */
export const sys_process_mrelease: SystemCall<
  "sys_process_mrelease",
  { pidfd: "number"; flags: "number" }
> = syscall("sys_process_mrelease");
/** `sys_process_vm_readv(pid_t pid, const struct iovec * lvec, unsigned long liovcnt, const struct iovec * rvec, unsigned long riovcnt, unsigned long flags)` */
export const sys_process_vm_readv: SystemCall<
  "sys_process_vm_readv",
  {
    pid: "number";
    lvec: "address";
    liovcnt: "number";
    rvec: "address";
    riovcnt: "number";
    flags: "number";
  }
> = syscall("sys_process_vm_readv");
/** `sys_process_vm_writev(pid_t pid, const struct iovec * lvec, unsigned long liovcnt, const struct iovec * rvec, unsigned long riovcnt, unsigned long flags)` */
export const sys_process_vm_writev: SystemCall<
  "sys_process_vm_writev",
  {
    pid: "number";
    lvec: "address";
    liovcnt: "number";
    rvec: "address";
    riovcnt: "number";
    flags: "number";
  }
> = syscall("sys_process_vm_writev");
/** `sys_pselect6(int n, fd_set * inp, fd_set * outp, fd_set * exp, struct __kernel_timespec * tsp, void * sig)` */
export const sys_pselect6: SystemCall<
  "sys_pselect6",
  {
    n: "number";
    inp: "address";
    outp: "address";
    exp: "address";
    tsp: "address";
    sig: "address";
  }
> = syscall("sys_pselect6");
/** `sys_ptrace(long request, long pid, unsigned long addr, unsigned long data)` */
export const sys_ptrace: SystemCall<
  "sys_ptrace",
  { request: "number"; pid: "number"; addr: "number"; data: "number" }
> = syscall("sys_ptrace");
/** `sys_pwrite64(unsigned int fd, const char * buf, size_t count, loff_t pos)` */
export const sys_pwrite64: SystemCall<
  "sys_pwrite64",
  { fd: "number"; buf: "address"; count: "size"; pos: "number" }
> = syscall("sys_pwrite64");
/** `sys_pwritev(unsigned long fd, const struct iovec * vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h)` */
export const sys_pwritev: SystemCall<
  "sys_pwritev",
  {
    fd: "number";
    vec: "address";
    vlen: "number";
    pos_l: "number";
    pos_h: "number";
  }
> = syscall("sys_pwritev");
/** `sys_pwritev2(unsigned long fd, const struct iovec * vec, unsigned long vlen, unsigned long pos_l, unsigned long pos_h, rwf_t flags)` */
export const sys_pwritev2: SystemCall<
  "sys_pwritev2",
  {
    fd: "number";
    vec: "address";
    vlen: "number";
    pos_l: "number";
    pos_h: "number";
    flags: "number";
  }
> = syscall("sys_pwritev2");
/** `sys_quotactl(unsigned int cmd, const char * special, qid_t id, void * addr)` */
export const sys_quotactl: SystemCall<
  "sys_quotactl",
  { cmd: "number"; special: "text"; id: "number"; addr: "address" }
> = syscall("sys_quotactl");
/** `sys_quotactl_fd(unsigned int fd, unsigned int cmd, qid_t id, void * addr)` */
export const sys_quotactl_fd: SystemCall<
  "sys_quotactl_fd",
  { fd: "number"; cmd: "number"; id: "number"; addr: "address" }
> = syscall("sys_quotactl_fd");
/** `sys_read(unsigned int fd, char * buf, size_t count)` */
export const sys_read: SystemCall<
  "sys_read",
  { fd: "number"; buf: "address"; count: "size" }
> = syscall("sys_read");
/** `sys_readahead(int fd, loff_t offset, size_t count)` */
export const sys_readahead: SystemCall<
  "sys_readahead",
  { fd: "number"; offset: "number"; count: "size" }
> = syscall("sys_readahead");
/** `sys_readlink(const char * path, char * buf, int bufsiz)` */
export const sys_readlink: SystemCall<
  "sys_readlink",
  { path: "text"; buf: "address"; bufsiz: "number" }
> = syscall("sys_readlink");
/** `sys_readlinkat(int dfd, const char * pathname, char * buf, int bufsiz)` */
export const sys_readlinkat: SystemCall<
  "sys_readlinkat",
  { dfd: "number"; pathname: "text"; buf: "address"; bufsiz: "number" }
> = syscall("sys_readlinkat");
/** `sys_readv(unsigned long fd, const struct iovec * vec, unsigned long vlen)` */
export const sys_readv: SystemCall<
  "sys_readv",
  { fd: "number"; vec: "address"; vlen: "number" }
> = syscall("sys_readv");
/** `sys_reboot(int magic1, int magic2, unsigned int cmd, void * arg)` */
export const sys_reboot: SystemCall<
  "sys_reboot",
  { magic1: "number"; magic2: "number"; cmd: "number"; arg: "address" }
> = syscall("sys_reboot");
/** `sys_recvfrom(int fd, void * ubuf, size_t size, unsigned int flags, struct sockaddr * addr, int * addr_len)` */
export const sys_recvfrom: SystemCall<
  "sys_recvfrom",
  {
    fd: "number";
    ubuf: "address";
    size: "size";
    flags: "number";
    addr: "address";
    addr_len: "address";
  }
> = syscall("sys_recvfrom");
/** `sys_recvmmsg(int fd, struct mmsghdr * mmsg, unsigned int vlen, unsigned int flags, struct __kernel_timespec * timeout)` */
export const sys_recvmmsg: SystemCall<
  "sys_recvmmsg",
  {
    fd: "number";
    mmsg: "address";
    vlen: "number";
    flags: "number";
    timeout: "address";
  }
> = syscall("sys_recvmmsg");
/** `sys_recvmsg(int fd, struct user_msghdr * msg, unsigned int flags)` */
export const sys_recvmsg: SystemCall<
  "sys_recvmsg",
  { fd: "number"; msg: "address"; flags: "number" }
> = syscall("sys_recvmsg");
/** `sys_remap_file_pages(unsigned long start, unsigned long size, unsigned long prot, unsigned long pgoff, unsigned long flags)` */
export const sys_remap_file_pages: SystemCall<
  "sys_remap_file_pages",
  {
    start: "number";
    size: "number";
    prot: "number";
    pgoff: "number";
    flags: "number";
  }
> = syscall("sys_remap_file_pages");
/** `sys_removexattr(const char * pathname, const char * name)` */
export const sys_removexattr: SystemCall<
  "sys_removexattr",
  { pathname: "text"; name: "text" }
> = syscall("sys_removexattr");
/** `sys_rename(const char * oldname, const char * newname)` */
export const sys_rename: SystemCall<
  "sys_rename",
  { oldname: "text"; newname: "text" }
> = syscall("sys_rename");
/** `sys_renameat(int olddfd, const char * oldname, int newdfd, const char * newname)` */
export const sys_renameat: SystemCall<
  "sys_renameat",
  { olddfd: "number"; oldname: "text"; newdfd: "number"; newname: "text" }
> = syscall("sys_renameat");
/** `sys_renameat2(int olddfd, const char * oldname, int newdfd, const char * newname, unsigned int flags)` */
export const sys_renameat2: SystemCall<
  "sys_renameat2",
  {
    olddfd: "number";
    oldname: "text";
    newdfd: "number";
    newname: "text";
    flags: "number";
  }
> = syscall("sys_renameat2");
/** `sys_request_key(const char * _type, const char * _description, const char * _callout_info, key_serial_t destringid)` */
export const sys_request_key: SystemCall<
  "sys_request_key",
  {
    _type: "text";
    _description: "text";
    _callout_info: "text";
    destringid: "number";
  }
> = syscall("sys_request_key");
/** `sys_restart_syscall()` */
export const sys_restart_syscall: SystemCall<"sys_restart_syscall", Empty> =
  syscall("sys_restart_syscall");
/** `sys_rmdir(const char * pathname)` */
export const sys_rmdir: SystemCall<"sys_rmdir", { pathname: "text" }> = syscall(
  "sys_rmdir",
);
/** `sys_rseq(struct rseq * rseq, u32 rseq_len, int flags, u32 sig)` */
export const sys_rseq: SystemCall<
  "sys_rseq",
  { rseq: "address"; rseq_len: "number"; flags: "number"; sig: "number" }
> = syscall("sys_rseq");
/** `sys_rt_sigaction(int sig, const struct sigaction * act, struct sigaction * oact, size_t sigsetsize)` */
export const sys_rt_sigaction: SystemCall<
  "sys_rt_sigaction",
  { sig: "number"; act: "address"; oact: "address"; sigsetsize: "size" }
> = syscall("sys_rt_sigaction");
/** `sys_rt_sigpending(sigset_t * uset, size_t sigsetsize)` */
export const sys_rt_sigpending: SystemCall<
  "sys_rt_sigpending",
  { uset: "address"; sigsetsize: "size" }
> = syscall("sys_rt_sigpending");
/** `sys_rt_sigprocmask(int how, sigset_t * nset, sigset_t * oset, size_t sigsetsize)` */
export const sys_rt_sigprocmask: SystemCall<
  "sys_rt_sigprocmask",
  { how: "number"; nset: "address"; oset: "address"; sigsetsize: "size" }
> = syscall("sys_rt_sigprocmask");
/** `sys_rt_sigqueueinfo(pid_t pid, int sig, siginfo_t * uinfo)` */
export const sys_rt_sigqueueinfo: SystemCall<
  "sys_rt_sigqueueinfo",
  { pid: "number"; sig: "number"; uinfo: "address" }
> = syscall("sys_rt_sigqueueinfo");
/** `sys_rt_sigreturn()` */
export const sys_rt_sigreturn: SystemCall<"sys_rt_sigreturn", Empty> = syscall(
  "sys_rt_sigreturn",
);
/** `sys_rt_sigsuspend(sigset_t * unewset, size_t sigsetsize)` */
export const sys_rt_sigsuspend: SystemCall<
  "sys_rt_sigsuspend",
  { unewset: "address"; sigsetsize: "size" }
> = syscall("sys_rt_sigsuspend");
/** `sys_rt_sigtimedwait(const sigset_t * uthese, siginfo_t * uinfo, const struct __kernel_timespec * uts, size_t sigsetsize)` */
export const sys_rt_sigtimedwait: SystemCall<
  "sys_rt_sigtimedwait",
  { uthese: "address"; uinfo: "address"; uts: "address"; sigsetsize: "size" }
> = syscall("sys_rt_sigtimedwait");
/** `sys_rt_tgsigqueueinfo(pid_t tgid, pid_t pid, int sig, siginfo_t * uinfo)` */
export const sys_rt_tgsigqueueinfo: SystemCall<
  "sys_rt_tgsigqueueinfo",
  { tgid: "number"; pid: "number"; sig: "number"; uinfo: "address" }
> = syscall("sys_rt_tgsigqueueinfo");
/** `sys_sched_get_priority_max(int policy)` */
export const sys_sched_get_priority_max: SystemCall<
  "sys_sched_get_priority_max",
  { policy: "number" }
> = syscall("sys_sched_get_priority_max");
/** `sys_sched_get_priority_min(int policy)` */
export const sys_sched_get_priority_min: SystemCall<
  "sys_sched_get_priority_min",
  { policy: "number" }
> = syscall("sys_sched_get_priority_min");
/** `sys_sched_getaffinity(pid_t pid, unsigned int len, unsigned long * user_mask_ptr)` */
export const sys_sched_getaffinity: SystemCall<
  "sys_sched_getaffinity",
  { pid: "number"; len: "number"; user_mask_ptr: "address" }
> = syscall("sys_sched_getaffinity");
/** `sys_sched_getattr(pid_t pid, struct sched_attr * uattr, unsigned int usize, unsigned int flags)` */
export const sys_sched_getattr: SystemCall<
  "sys_sched_getattr",
  { pid: "number"; uattr: "address"; usize: "number"; flags: "number" }
> = syscall("sys_sched_getattr");
/** `sys_sched_getparam(pid_t pid, struct sched_param * param)` */
export const sys_sched_getparam: SystemCall<
  "sys_sched_getparam",
  { pid: "number"; param: "address" }
> = syscall("sys_sched_getparam");
/** `sys_sched_getscheduler(pid_t pid)` */
export const sys_sched_getscheduler: SystemCall<
  "sys_sched_getscheduler",
  { pid: "number" }
> = syscall("sys_sched_getscheduler");
/** `sys_sched_rr_get_interval(pid_t pid, struct __kernel_timespec * interval)` */
export const sys_sched_rr_get_interval: SystemCall<
  "sys_sched_rr_get_interval",
  { pid: "number"; interval: "address" }
> = syscall("sys_sched_rr_get_interval");
/** `sys_sched_setaffinity(pid_t pid, unsigned int len, unsigned long * user_mask_ptr)` */
export const sys_sched_setaffinity: SystemCall<
  "sys_sched_setaffinity",
  { pid: "number"; len: "number"; user_mask_ptr: "address" }
> = syscall("sys_sched_setaffinity");
/** `sys_sched_setattr(pid_t pid, struct sched_attr * uattr, unsigned int flags)` */
export const sys_sched_setattr: SystemCall<
  "sys_sched_setattr",
  { pid: "number"; uattr: "address"; flags: "number" }
> = syscall("sys_sched_setattr");
/** `sys_sched_setparam(pid_t pid, struct sched_param * param)` */
export const sys_sched_setparam: SystemCall<
  "sys_sched_setparam",
  { pid: "number"; param: "address" }
> = syscall("sys_sched_setparam");
/** `sys_sched_setscheduler(pid_t pid, int policy, struct sched_param * param)` */
export const sys_sched_setscheduler: SystemCall<
  "sys_sched_setscheduler",
  { pid: "number"; policy: "number"; param: "address" }
> = syscall("sys_sched_setscheduler");
/** `sys_sched_yield()` */
export const sys_sched_yield: SystemCall<"sys_sched_yield", Empty> = syscall(
  "sys_sched_yield",
);
/** `sys_seccomp(unsigned int op, unsigned int flags, void * uargs)` */
export const sys_seccomp: SystemCall<
  "sys_seccomp",
  { op: "number"; flags: "number"; uargs: "address" }
> = syscall("sys_seccomp");
/** `sys_select(int n, fd_set * inp, fd_set * outp, fd_set * exp, struct __kernel_old_timeval * tvp)` */
export const sys_select: SystemCall<
  "sys_select",
  {
    n: "number";
    inp: "address";
    outp: "address";
    exp: "address";
    tvp: "address";
  }
> = syscall("sys_select");
/** `sys_semctl(int semid, int semnum, int cmd, unsigned long arg)` */
export const sys_semctl: SystemCall<
  "sys_semctl",
  { semid: "number"; semnum: "number"; cmd: "number"; arg: "number" }
> = syscall("sys_semctl");
/** `sys_semget(key_t key, int nsems, int semflg)` */
export const sys_semget: SystemCall<
  "sys_semget",
  { key: "number"; nsems: "number"; semflg: "number" }
> = syscall("sys_semget");
/** `sys_semop(int semid, struct sembuf * tsops, unsigned nsops)` */
export const sys_semop: SystemCall<
  "sys_semop",
  { semid: "number"; tsops: "address"; nsops: "number" }
> = syscall("sys_semop");
/** `sys_semtimedop(int semid, struct sembuf * tsops, unsigned int nsops, const struct __kernel_timespec * timeout)` */
export const sys_semtimedop: SystemCall<
  "sys_semtimedop",
  { semid: "number"; tsops: "address"; nsops: "number"; timeout: "address" }
> = syscall("sys_semtimedop");
/** `sys_sendfile64(int out_fd, int in_fd, loff_t * offset, size_t count)` */
export const sys_sendfile64: SystemCall<
  "sys_sendfile64",
  { out_fd: "number"; in_fd: "number"; offset: "address"; count: "size" }
> = syscall("sys_sendfile64");
/** `sys_sendmmsg(int fd, struct mmsghdr * mmsg, unsigned int vlen, unsigned int flags)` */
export const sys_sendmmsg: SystemCall<
  "sys_sendmmsg",
  { fd: "number"; mmsg: "address"; vlen: "number"; flags: "number" }
> = syscall("sys_sendmmsg");
/** `sys_sendmsg(int fd, struct user_msghdr * msg, unsigned int flags)` */
export const sys_sendmsg: SystemCall<
  "sys_sendmsg",
  { fd: "number"; msg: "address"; flags: "number" }
> = syscall("sys_sendmsg");
/** `sys_sendto(int fd, void * buff, size_t len, unsigned int flags, struct sockaddr * addr, int addr_len)` */
export const sys_sendto: SystemCall<
  "sys_sendto",
  {
    fd: "number";
    buff: "address";
    len: "size";
    flags: "number";
    addr: "address";
    addr_len: "number";
  }
> = syscall("sys_sendto");
/** `sys_set_mempolicy(int mode, const unsigned long * nmask, unsigned long maxnode)` */
export const sys_set_mempolicy: SystemCall<
  "sys_set_mempolicy",
  { mode: "number"; nmask: "address"; maxnode: "number" }
> = syscall("sys_set_mempolicy");
/** `sys_set_mempolicy_home_node(unsigned long start, unsigned long len, unsigned long home_node, unsigned long flags)` */
export const sys_set_mempolicy_home_node: SystemCall<
  "sys_set_mempolicy_home_node",
  { start: "number"; len: "number"; home_node: "number"; flags: "number" }
> = syscall("sys_set_mempolicy_home_node");
/** `sys_set_robust_list(struct robust_list_head * head, size_t len)` */
export const sys_set_robust_list: SystemCall<
  "sys_set_robust_list",
  { head: "address"; len: "size" }
> = syscall("sys_set_robust_list");
/** `sys_set_tid_address(int * tidptr)` */
export const sys_set_tid_address: SystemCall<
  "sys_set_tid_address",
  { tidptr: "address" }
> = syscall("sys_set_tid_address");
/** `sys_setdomainname(char * name, int len)` */
export const sys_setdomainname: SystemCall<
  "sys_setdomainname",
  { name: "address"; len: "number" }
> = syscall("sys_setdomainname");
/** `sys_setfsgid(gid_t gid)` */
export const sys_setfsgid: SystemCall<"sys_setfsgid", { gid: "number" }> =
  syscall("sys_setfsgid");
/** `sys_setfsuid(uid_t uid)` */
export const sys_setfsuid: SystemCall<"sys_setfsuid", { uid: "number" }> =
  syscall("sys_setfsuid");
/** `sys_setgid(gid_t gid)` */
export const sys_setgid: SystemCall<"sys_setgid", { gid: "number" }> = syscall(
  "sys_setgid",
);
/** `sys_setgroups(int gidsetsize, gid_t * grouplist)` */
export const sys_setgroups: SystemCall<
  "sys_setgroups",
  { gidsetsize: "number"; grouplist: "address" }
> = syscall("sys_setgroups");
/** `sys_sethostname(char * name, int len)` */
export const sys_sethostname: SystemCall<
  "sys_sethostname",
  { name: "address"; len: "number" }
> = syscall("sys_sethostname");
/** `sys_setitimer(int which, struct __kernel_old_itimerval * value, struct __kernel_old_itimerval * ovalue)` */
export const sys_setitimer: SystemCall<
  "sys_setitimer",
  { which: "number"; value: "address"; ovalue: "address" }
> = syscall("sys_setitimer");
/** `sys_setns(int fd, int flags)` */
export const sys_setns: SystemCall<
  "sys_setns",
  { fd: "number"; flags: "number" }
> = syscall("sys_setns");
/** `sys_setpgid(pid_t pid, pid_t pgid)` */
export const sys_setpgid: SystemCall<
  "sys_setpgid",
  { pid: "number"; pgid: "number" }
> = syscall("sys_setpgid");
/** `sys_setpriority(int which, int who, int niceval)` */
export const sys_setpriority: SystemCall<
  "sys_setpriority",
  { which: "number"; who: "number"; niceval: "number" }
> = syscall("sys_setpriority");
/** `sys_setregid(gid_t rgid, gid_t egid)` */
export const sys_setregid: SystemCall<
  "sys_setregid",
  { rgid: "number"; egid: "number" }
> = syscall("sys_setregid");
/** `sys_setresgid(gid_t rgid, gid_t egid, gid_t sgid)` */
export const sys_setresgid: SystemCall<
  "sys_setresgid",
  { rgid: "number"; egid: "number"; sgid: "number" }
> = syscall("sys_setresgid");
/** `sys_setresuid(uid_t ruid, uid_t euid, uid_t suid)` */
export const sys_setresuid: SystemCall<
  "sys_setresuid",
  { ruid: "number"; euid: "number"; suid: "number" }
> = syscall("sys_setresuid");
/** `sys_setreuid(uid_t ruid, uid_t euid)` */
export const sys_setreuid: SystemCall<
  "sys_setreuid",
  { ruid: "number"; euid: "number" }
> = syscall("sys_setreuid");
/** `sys_setrlimit(unsigned int resource, struct rlimit * rlim)` */
export const sys_setrlimit: SystemCall<
  "sys_setrlimit",
  { resource: "number"; rlim: "address" }
> = syscall("sys_setrlimit");
/** `sys_setsid()` */
export const sys_setsid: SystemCall<"sys_setsid", Empty> = syscall(
  "sys_setsid",
);
/** `sys_setsockopt(int fd, int level, int optname, char * optval, int optlen)` */
export const sys_setsockopt: SystemCall<
  "sys_setsockopt",
  {
    fd: "number";
    level: "number";
    optname: "number";
    optval: "address";
    optlen: "number";
  }
> = syscall("sys_setsockopt");
/** `sys_settimeofday(struct __kernel_old_timeval * tv, struct timezone * tz)` */
export const sys_settimeofday: SystemCall<
  "sys_settimeofday",
  { tv: "address"; tz: "address" }
> = syscall("sys_settimeofday");
/** `sys_setuid(uid_t uid)` */
export const sys_setuid: SystemCall<"sys_setuid", { uid: "number" }> = syscall(
  "sys_setuid",
);
/** `sys_setxattr(const char * pathname, const char * name, const void * value, size_t size, int flags)` */
export const sys_setxattr: SystemCall<
  "sys_setxattr",
  {
    pathname: "text";
    name: "text";
    value: "address";
    size: "size";
    flags: "number";
  }
> = syscall("sys_setxattr");
/** `sys_shmat(int shmid, char * shmaddr, int shmflg)` */
export const sys_shmat: SystemCall<
  "sys_shmat",
  { shmid: "number"; shmaddr: "address"; shmflg: "number" }
> = syscall("sys_shmat");
/** `sys_shmctl(int shmid, int cmd, struct shmid_ds * buf)` */
export const sys_shmctl: SystemCall<
  "sys_shmctl",
  { shmid: "number"; cmd: "number"; buf: "address" }
> = syscall("sys_shmctl");
/** `sys_shmdt(char * shmaddr)` */
export const sys_shmdt: SystemCall<"sys_shmdt", { shmaddr: "address" }> =
  syscall("sys_shmdt");
/** `sys_shmget(key_t key, size_t size, int shmflg)` */
export const sys_shmget: SystemCall<
  "sys_shmget",
  { key: "number"; size: "size"; shmflg: "number" }
> = syscall("sys_shmget");
/** `sys_shutdown(int fd, int how)` */
export const sys_shutdown: SystemCall<
  "sys_shutdown",
  { fd: "number"; how: "number" }
> = syscall("sys_shutdown");
/** `sys_sigaltstack(const stack_t * uss, stack_t * uoss)` */
export const sys_sigaltstack: SystemCall<
  "sys_sigaltstack",
  { uss: "address"; uoss: "address" }
> = syscall("sys_sigaltstack");
/** `sys_signalfd(int ufd, sigset_t * user_mask, size_t sizemask)` */
export const sys_signalfd: SystemCall<
  "sys_signalfd",
  { ufd: "number"; user_mask: "address"; sizemask: "size" }
> = syscall("sys_signalfd");
/** `sys_signalfd4(int ufd, sigset_t * user_mask, size_t sizemask, int flags)` */
export const sys_signalfd4: SystemCall<
  "sys_signalfd4",
  { ufd: "number"; user_mask: "address"; sizemask: "size"; flags: "number" }
> = syscall("sys_signalfd4");
/** `sys_socket(int family, int type, int protocol)` */
export const sys_socket: SystemCall<
  "sys_socket",
  { family: "number"; type: "number"; protocol: "number" }
> = syscall("sys_socket");
/** `sys_socketpair(int family, int type, int protocol, int * usockvec)` */
export const sys_socketpair: SystemCall<
  "sys_socketpair",
  { family: "number"; type: "number"; protocol: "number"; usockvec: "address" }
> = syscall("sys_socketpair");
/** `sys_splice(int fd_in, loff_t * off_in, int fd_out, loff_t * off_out, size_t len, unsigned int flags)` */
export const sys_splice: SystemCall<
  "sys_splice",
  {
    fd_in: "number";
    off_in: "address";
    fd_out: "number";
    off_out: "address";
    len: "size";
    flags: "number";
  }
> = syscall("sys_splice");
/** `sys_statfs(const char * pathname, struct statfs * buf)` */
export const sys_statfs: SystemCall<
  "sys_statfs",
  { pathname: "text"; buf: "address" }
> = syscall("sys_statfs");
/** `sys_statmount(const struct mnt_id_req * req, struct statmount * buf, size_t bufsize, unsigned int flags)` */
export const sys_statmount: SystemCall<
  "sys_statmount",
  { req: "address"; buf: "address"; bufsize: "size"; flags: "number" }
> = syscall("sys_statmount");
/** `sys_statx(int dfd, const char * filename, unsigned flags, unsigned int mask, struct statx * buffer)` */
export const sys_statx: SystemCall<
  "sys_statx",
  {
    dfd: "number";
    filename: "text";
    flags: "number";
    mask: "number";
    buffer: "address";
  }
> = syscall("sys_statx");
/** `sys_swapoff(const char * specialfile)` */
export const sys_swapoff: SystemCall<"sys_swapoff", { specialfile: "text" }> =
  syscall("sys_swapoff");
/** `sys_swapon(const char * specialfile, int swap_flags)` */
export const sys_swapon: SystemCall<
  "sys_swapon",
  { specialfile: "text"; swap_flags: "number" }
> = syscall("sys_swapon");
/** `sys_symlink(const char * oldname, const char * newname)` */
export const sys_symlink: SystemCall<
  "sys_symlink",
  { oldname: "text"; newname: "text" }
> = syscall("sys_symlink");
/** `sys_symlinkat(const char * oldname, int newdfd, const char * newname)` */
export const sys_symlinkat: SystemCall<
  "sys_symlinkat",
  { oldname: "text"; newdfd: "number"; newname: "text" }
> = syscall("sys_symlinkat");
/** `sys_sync()` */
export const sys_sync: SystemCall<"sys_sync", Empty> = syscall("sys_sync");
/** `sys_sync_file_range(int fd, loff_t offset, loff_t nbytes, unsigned int flags)` */
export const sys_sync_file_range: SystemCall<
  "sys_sync_file_range",
  { fd: "number"; offset: "number"; nbytes: "number"; flags: "number" }
> = syscall("sys_sync_file_range");
/** `sys_syncfs(int fd)` */
export const sys_syncfs: SystemCall<"sys_syncfs", { fd: "number" }> = syscall(
  "sys_syncfs",
);
/** `sys_sysfs(int option, unsigned long arg1, unsigned long arg2)` */
export const sys_sysfs: SystemCall<
  "sys_sysfs",
  { option: "number"; arg1: "number"; arg2: "number" }
> = syscall("sys_sysfs");
/** `sys_sysinfo(struct sysinfo * info)` */
export const sys_sysinfo: SystemCall<"sys_sysinfo", { info: "address" }> =
  syscall("sys_sysinfo");
/** `sys_syslog(int type, char * buf, int len)` */
export const sys_syslog: SystemCall<
  "sys_syslog",
  { type: "number"; buf: "address"; len: "number" }
> = syscall("sys_syslog");
/** `sys_tee(int fdin, int fdout, size_t len, unsigned int flags)` */
export const sys_tee: SystemCall<
  "sys_tee",
  { fdin: "number"; fdout: "number"; len: "size"; flags: "number" }
> = syscall("sys_tee");
/** `sys_tgkill(pid_t tgid, pid_t pid, int sig)` */
export const sys_tgkill: SystemCall<
  "sys_tgkill",
  { tgid: "number"; pid: "number"; sig: "number" }
> = syscall("sys_tgkill");
/** `sys_time(__kernel_old_time_t * tloc)` */
export const sys_time: SystemCall<"sys_time", { tloc: "address" }> = syscall(
  "sys_time",
);
/** `sys_timer_create(const clockid_t which_clock, struct sigevent * timer_event_spec, timer_t * created_timer_id)` */
export const sys_timer_create: SystemCall<
  "sys_timer_create",
  {
    which_clock: "number";
    timer_event_spec: "address";
    created_timer_id: "address";
  }
> = syscall("sys_timer_create");
/** `sys_timer_delete(timer_t timer_id)` */
export const sys_timer_delete: SystemCall<
  "sys_timer_delete",
  { timer_id: "number" }
> = syscall("sys_timer_delete");
/** `sys_timer_getoverrun(timer_t timer_id)` */
export const sys_timer_getoverrun: SystemCall<
  "sys_timer_getoverrun",
  { timer_id: "number" }
> = syscall("sys_timer_getoverrun");
/** `sys_timer_gettime(timer_t timer_id, struct __kernel_itimerspec * setting)` */
export const sys_timer_gettime: SystemCall<
  "sys_timer_gettime",
  { timer_id: "number"; setting: "address" }
> = syscall("sys_timer_gettime");
/** `sys_timer_settime(timer_t timer_id, int flags, const struct __kernel_itimerspec * new_setting, struct __kernel_itimerspec * old_setting)` */
export const sys_timer_settime: SystemCall<
  "sys_timer_settime",
  {
    timer_id: "number";
    flags: "number";
    new_setting: "address";
    old_setting: "address";
  }
> = syscall("sys_timer_settime");
/** `sys_timerfd_create(int clockid, int flags)` */
export const sys_timerfd_create: SystemCall<
  "sys_timerfd_create",
  { clockid: "number"; flags: "number" }
> = syscall("sys_timerfd_create");
/** `sys_timerfd_gettime(int ufd, struct __kernel_itimerspec * otmr)` */
export const sys_timerfd_gettime: SystemCall<
  "sys_timerfd_gettime",
  { ufd: "number"; otmr: "address" }
> = syscall("sys_timerfd_gettime");
/** `sys_timerfd_settime(int ufd, int flags, const struct __kernel_itimerspec * utmr, struct __kernel_itimerspec * otmr)` */
export const sys_timerfd_settime: SystemCall<
  "sys_timerfd_settime",
  { ufd: "number"; flags: "number"; utmr: "address"; otmr: "address" }
> = syscall("sys_timerfd_settime");
/** `sys_times(struct tms * tbuf)` */
export const sys_times: SystemCall<"sys_times", { tbuf: "address" }> = syscall(
  "sys_times",
);
/** `sys_tkill(pid_t pid, int sig)` */
export const sys_tkill: SystemCall<
  "sys_tkill",
  { pid: "number"; sig: "number" }
> = syscall("sys_tkill");
/** `sys_truncate(const char * path, long length)` */
export const sys_truncate: SystemCall<
  "sys_truncate",
  { path: "text"; length: "number" }
> = syscall("sys_truncate");
/** `sys_umask(int mask)` */
export const sys_umask: SystemCall<"sys_umask", { mask: "number" }> = syscall(
  "sys_umask",
);
/** `sys_umount(char * name, int flags)` */
export const sys_umount: SystemCall<
  "sys_umount",
  { name: "address"; flags: "number" }
> = syscall("sys_umount");
/** `sys_unlink(const char * pathname)` */
export const sys_unlink: SystemCall<"sys_unlink", { pathname: "text" }> =
  syscall("sys_unlink");
/** `sys_unlinkat(int dfd, const char * pathname, int flag)` */
export const sys_unlinkat: SystemCall<
  "sys_unlinkat",
  { dfd: "number"; pathname: "text"; flag: "number" }
> = syscall("sys_unlinkat");
/** `sys_unshare(unsigned long unshare_flags)` */
export const sys_unshare: SystemCall<
  "sys_unshare",
  { unshare_flags: "number" }
> = syscall("sys_unshare");
/** `sys_uretprobe()` */
export const sys_uretprobe: SystemCall<"sys_uretprobe", Empty> = syscall(
  "sys_uretprobe",
);
/** `sys_userfaultfd(int flags)` */
export const sys_userfaultfd: SystemCall<
  "sys_userfaultfd",
  { flags: "number" }
> = syscall("sys_userfaultfd");
/** `sys_ustat(unsigned dev, struct ustat * ubuf)` */
export const sys_ustat: SystemCall<
  "sys_ustat",
  { dev: "number"; ubuf: "address" }
> = syscall("sys_ustat");
/** `sys_utime(char * filename, struct utimbuf * times)` */
export const sys_utime: SystemCall<
  "sys_utime",
  { filename: "address"; times: "address" }
> = syscall("sys_utime");
/** `sys_utimensat(int dfd, const char * filename, struct __kernel_timespec * utimes, int flags)` */
export const sys_utimensat: SystemCall<
  "sys_utimensat",
  { dfd: "number"; filename: "text"; utimes: "address"; flags: "number" }
> = syscall("sys_utimensat");
/** `sys_utimes(char * filename, struct __kernel_old_timeval * utimes)` */
export const sys_utimes: SystemCall<
  "sys_utimes",
  { filename: "address"; utimes: "address" }
> = syscall("sys_utimes");
/** `sys_vfork()` */
export const sys_vfork: SystemCall<"sys_vfork", Empty> = syscall("sys_vfork");
/** `sys_vhangup()` */
export const sys_vhangup: SystemCall<"sys_vhangup", Empty> = syscall(
  "sys_vhangup",
);
/** `sys_vmsplice(int fd, const struct iovec * uiov, unsigned long nr_segs, unsigned int flags)` */
export const sys_vmsplice: SystemCall<
  "sys_vmsplice",
  { fd: "number"; uiov: "address"; nr_segs: "number"; flags: "number" }
> = syscall("sys_vmsplice");
/** `sys_wait4(pid_t upid, int * stat_addr, int options, struct rusage * ru)` */
export const sys_wait4: SystemCall<
  "sys_wait4",
  { upid: "number"; stat_addr: "address"; options: "number"; ru: "address" }
> = syscall("sys_wait4");
/** `sys_waitid(int which, pid_t upid, struct siginfo * infop, int options, struct rusage * ru)` */
export const sys_waitid: SystemCall<
  "sys_waitid",
  {
    which: "number";
    upid: "number";
    infop: "address";
    options: "number";
    ru: "address";
  }
> = syscall("sys_waitid");
/** `sys_write(unsigned int fd, const char * buf, size_t count)` */
export const sys_write: SystemCall<
  "sys_write",
  { fd: "number"; buf: "address"; count: "size" }
> = syscall("sys_write");
/** `sys_writev(unsigned long fd, const struct iovec * vec, unsigned long vlen)` */
export const sys_writev: SystemCall<
  "sys_writev",
  { fd: "number"; vec: "address"; vlen: "number" }
> = syscall("sys_writev");
