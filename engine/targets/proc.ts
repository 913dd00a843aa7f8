/**
 * Reads /proc files of other processes. The folder's path is a parameter, so
 * that tests can supply their own tree.
 *
 * @module
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { XftraceError } from "../base/errors.ts";
import { codeOf } from "../base/file_error.ts";
import { readHostText } from "../base/host_file/read.ts";

/**
 * The most bytes of a command line: the kernel's own limit for a new process
 * is 6 MiB (_STK_LIM / 4 * 3, fs/exec.c), but a process may say of itself that
 * all its memory is one (PR_SET_MM).
 */
const COMMAND_LINE_BYTES = 8 * 2 ** 20;
/** The most bytes of a maps file: 65,530 mappings with names of 1000 bytes. */
const MAPS_BYTES = 2 ** 26;
/** The most bytes of other files of /proc. */
const TEXT_BYTES = 2 ** 20;
/** The most descriptors of a process that are looked at. */
const MOST_FDS = 65_536;
/** The most bytes of a file that a process's command line names. */
const NAMED_BYTES = 2 ** 20;

/** One line of /proc/PID/maps. */
export interface Vma {
  /** First HVA. */
  readonly start: number;
  /** One past the last HVA. */
  readonly end: number;
  /** The permissions field, such as `rw-s`. */
  readonly permissions: string;
  /** Offset in the file, in bytes. */
  readonly offset: number;
  /** `major:minor` of the file's device, hex. */
  readonly device: string;
  /** Inode number; 0 for anonymous memory. */
  readonly inode: number;
  /**
   * Device and inode as in the file, which tell files apart whatever their
   * names: `00:1d 1234`.
   */
  readonly identity: string;
  /** The file's path without ` (deleted)`; empty for anonymous memory. */
  readonly path: string;
  readonly deleted: boolean;
}

/** An open file of a process. */
export interface ProcFd {
  readonly fd: number;
  /** The link's text, without ` (deleted)`. */
  readonly path: string;
  readonly deleted: boolean;
  /** A path that opens the same file: /proc/PID/fd/N. */
  readonly open: string;
}

/** A read of /proc that was not permitted. */
export class ProcPermissionError extends Error {
  /** The path that could not be read: `/proc/12/maps`. */
  readonly path: string;

  constructor(path: string, cause: unknown) {
    super(`no permission to read ${path}`, { cause });
    this.name = "ProcPermissionError";
    this.path = path;
  }
}

const DELETED = " (deleted)";

function undelete(path: string): { path: string; deleted: boolean } {
  return path.endsWith(DELETED)
    ? { path: path.slice(0, -DELETED.length), deleted: true }
    : { path, deleted: false };
}

/** Parses /proc/PID/maps. */
export function parseMaps(text: string): Vma[] {
  const line =
    /^([\da-f]+)-([\da-f]+) (\S{4}) ([\da-f]+) (\S+) (\d+)(?: +(.*))?$/gm;
  const vmas: Vma[] = [];
  for (const match of text.matchAll(line)) {
    // The kernel writes a line feed in a name as \012.
    const name = (match[7] ?? "").replaceAll("\\012", "\n");
    const [start, end] = [parseInt(match[1], 16), parseInt(match[2], 16)];
    // The kernel writes no such line; the sums of sizes rely on it.
    if (!(start < end)) continue;
    vmas.push({
      start,
      end,
      permissions: match[3],
      offset: parseInt(match[4], 16),
      device: match[5],
      inode: Number(match[6]),
      identity: `${match[5]} ${match[6]}`,
      ...undelete(name),
    });
  }
  return vmas;
}

/** Access to the processes in one /proc. */
export class Proc {
  /** The folder, normally `/proc`. */
  readonly root: string;

  constructor(root = "/proc") {
    this.root = root;
  }

  /** Ids of all processes, ascending. */
  pids(): number[] {
    return readdirSync(this.root).filter((name) => /^\d+$/.test(name))
      .map(Number).sort((a, b) => a - b);
  }

  /**
   * Arguments of a process; empty when it is gone, a kernel thread or a
   * zombie.
   */
  args(pid: number): string[] {
    const text = this.#text(pid, "cmdline", COMMAND_LINE_BYTES);
    if (text === undefined || text === "") return [];
    return text.replace(/\0$/, "").split("\0");
  }

  /** Path of the program, if it may be read. */
  exe(pid: number): string | undefined {
    try {
      return undelete(readlinkSync(this.#path(pid, "exe"))).path;
    } catch {
      return undefined;
    }
  }

  /** Working directory, if it may be read. */
  cwd(pid: number): string | undefined {
    try {
      return readlinkSync(this.#path(pid, "cwd"));
    } catch {
      return undefined;
    }
  }

  /**
   * When the process started, in clock ticks since boot; undefined when it is
   * gone or a zombie. The same pid with another start time is another process.
   */
  startTime(pid: number): number | undefined {
    const text = this.#text(pid, "stat");
    if (text === undefined) return undefined;
    // The second field, the name, may contain spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const ticks = Number(fields[19]);
    return Number.isFinite(ticks) ? ticks : undefined;
  }

  /**
   * How long the process has been running on the host's processors, in ms,
   * without its first thread if it has others: that one serves the monitor and
   * devices while the others, which are the guest's processors, stand still. 0
   * when it is gone.
   */
  cpuMs(pid: number): number {
    // The times of one that has ended stay until its parent asks for them.
    if (this.startTime(pid) === undefined) return 0;
    return this.#threadsMs(pid, 0) ?? this.#ticksMs(pid);
  }

  /**
   * How long those threads have been waiting for one of the host's processors,
   * in ms, although they could run; 0 when that is not known.
   */
  waitMs(pid: number): number {
    return this.#threadsMs(pid, 1) ?? 0;
  }

  /**
   * From the scheduler, which counts ns (CONFIG_SCHED_INFO).
   *
   * @param field 0: running; 1: waiting to run
   */
  #threadsMs(pid: number, field: 0 | 1): number | undefined {
    let tids: string[];
    try {
      tids = readdirSync(this.#path(pid, "task"));
    } catch {
      return undefined;
    }
    let ns = 0;
    for (const tid of tids) {
      if (tids.length > 1 && tid === String(pid)) continue;
      const text = this.#text(pid, `task/${tid}/schedstat`);
      const time = parseInt(text?.split(" ")[field] ?? "");
      if (Number.isFinite(time)) ns += time;
      else if (this.#text(pid, `task/${tid}/stat`) !== undefined) {
        return undefined;
      }
    }
    return ns / 1e6;
  }

  /** In user mode and in the host's kernel, in ticks of USER_HZ. */
  #ticksMs(pid: number): number {
    const text = this.#text(pid, "stat") ?? "";
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isFinite(ticks) ? ticks * 10 : 0;
  }

  /**
   * Seconds since the process started; undefined when it is gone or the time is
   * unknown.
   */
  age(pid: number): number | undefined {
    const start = this.startTime(pid);
    let uptime: number;
    try {
      uptime = parseFloat(
        readHostText(`${this.root}/uptime`, { limit: TEXT_BYTES }),
      );
    } catch {
      return undefined;
    }
    if (start === undefined || !Number.isFinite(uptime)) return undefined;
    // USER_HZ is 100 on all hosts with KVM (include/uapi/asm-generic/param.h).
    return Math.max(0, uptime - start / 100);
  }

  /** How many threads the process has; 0 when it is gone. */
  threads(pid: number): number {
    const status = this.#text(pid, "status") ?? "";
    return Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }

  /** The user id of the process. */
  uid(pid: number): number | undefined {
    const match = /^Uid:\s+\d+\s+(\d+)/m.exec(this.#text(pid, "status") ?? "");
    return match === null ? undefined : Number(match[1]);
  }

  /**
   * Memory mappings; empty when the process is gone.
   *
   * @throws {ProcPermissionError}
   */
  maps(pid: number): Vma[] {
    const path = this.#path(pid, "maps");
    const text = permitted(
      path,
      () => readHostText(path, { limit: MAPS_BYTES }),
    );
    return parseMaps(text ?? "");
  }

  /**
   * Open files, ascending, but not more than 65,536; empty when the process is
   * gone.
   *
   * @throws {ProcPermissionError}
   */
  fds(pid: number): ProcFd[] {
    const folder = this.#path(pid, "fd");
    const names = permitted(folder, () => readdirSync(folder)) ?? [];
    const fds: ProcFd[] = [];
    for (const name of names.slice(0, MOST_FDS)) {
      const open = `${folder}/${name}`;
      const link = permitted(folder, () => readlinkSync(open));
      if (link === undefined) continue;
      fds.push({ fd: Number(name), open, ...undelete(link) });
    }
    return fds.sort((a, b) => a.fd - b.fd);
  }

  /** Path of the process's memory for pread: /proc/PID/mem. */
  memPath(pid: number): string {
    return this.#path(pid, "mem");
  }

  /**
   * The text of a file that a process's command line names. Anybody may start a
   * process that names anything: only a regular file is read, as large as it
   * says that it is, and at most 1 MiB. The path is resolved in the process's
   * own root directory, since it may run in a container.
   *
   * @throws {XftraceError} when there is none, or it is no such file.
   */
  namedText(pid: number, path: string): string {
    return readHostText(
      this.#path(pid, path.startsWith("/") ? `root${path}` : `cwd/${path}`),
      { limit: NAMED_BYTES, sized: true },
    );
  }

  #path(pid: number, name: string): string {
    return `${this.root}/${pid}/${name}`;
  }

  #text(
    pid: number,
    name: string,
    limit = TEXT_BYTES,
  ): string | undefined {
    try {
      return readHostText(this.#path(pid, name), { limit });
    } catch {
      return undefined;
    }
  }
}

/** What `stat` says of a file. */
export interface FileFacts {
  /** In bytes. */
  readonly size: number;
  /** Device and inode in the form of {@linkcode Vma.identity}. */
  readonly identity: string;
  /** The inode alone, as in `identity`. */
  readonly inode: string;
  readonly regular: boolean;
}

/** What `stat` says of a file; undefined when it cannot be read. */
export function fileFacts(path: string): FileFacts | undefined {
  try {
    return factsOf(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

/** What `fstat` says of an open file: this very file, whatever its path. */
export function openFileFacts(fd: number): FileFacts {
  return factsOf(fstatSync(fd, { bigint: true }));
}

function factsOf(stat: BigIntStats): FileFacts {
  return {
    size: Number(stat.size),
    identity: `${deviceText(stat.dev)} ${stat.ino}`,
    inode: String(stat.ino),
    regular: stat.isFile(),
  };
}

/** The low part of a major number. */
const LOW_MAJOR = 0xf00n | 0xffn;
/** By how many bits the high part of a minor number is shifted. */
const HIGH_MINOR_BITS = 12n;

/**
 * A device number as /proc/PID/maps prints it: `00:1d`. (glibc's gnu_dev_major
 * and gnu_dev_minor; fs/proc/task_mmu.c prints `%02x:%02x`.)
 */
function deviceText(device: bigint): string {
  const major = (device >> 8n & LOW_MAJOR) | (device >> 32n & ~LOW_MAJOR);
  const minor = (device & 0xffn) | (device >> HIGH_MINOR_BITS & ~0xffn);
  const hex = (part: bigint) =>
    BigInt.asUintN(32, part).toString(16).padStart(2, "0");
  return `${hex(major)}:${hex(minor)}`;
}

/**
 * Whether a file can be opened for reading, or for reading and writing. It is
 * really opened and closed: Deno's access() compares the mode bits itself (seen
 * with 2.9) and so denies root what its capabilities allow.
 *
 * @example
 * ```ts
 * import { mayOpen } from "xftrace/targets";
 *
 * console.log(mayOpen("/dev/kvm", "r+"));
 * ```
 */
export function mayOpen(path: string, mode: "r" | "r+"): boolean {
  try {
    const access = mode === "r" ? constants.O_RDONLY : constants.O_RDWR;
    // A FIFO would wait for somebody at its other end.
    closeSync(openSync(path, access | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/** Returns undefined when the process ends meanwhile. */
function permitted<T>(path: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    const cause = error instanceof XftraceError ? error.cause : error;
    const code = codeOf(cause);
    if (
      code === "EACCES" || code === "EPERM" ||
      cause instanceof Deno.errors.NotCapable
    ) {
      throw new ProcPermissionError(path, error);
    }
    if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") {
      return undefined;
    }
    throw error;
  }
}
