/**
 * Reads /proc files of other processes. The folder's path is a parameter, so
 * that tests can supply their own tree.
 *
 * @module
 */

import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from "node:fs";

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
    vmas.push({
      start: parseInt(match[1], 16),
      end: parseInt(match[2], 16),
      permissions: match[3],
      offset: parseInt(match[4], 16),
      device: match[5],
      inode: Number(match[6]),
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
    const text = this.#text(pid, "cmdline");
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
   * Seconds since the process started; undefined when it is gone or the time is
   * unknown.
   */
  age(pid: number): number | undefined {
    const start = this.startTime(pid);
    let uptime: number;
    try {
      uptime = parseFloat(readFileSync(`${this.root}/uptime`, "utf8"));
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
    return parseMaps(permitted(path, () => readFileSync(path, "utf8")) ?? "");
  }

  /**
   * Open files, ascending; empty when the process is gone.
   *
   * @throws {ProcPermissionError}
   */
  fds(pid: number): ProcFd[] {
    const folder = this.#path(pid, "fd");
    const names = permitted(folder, () => readdirSync(folder)) ?? [];
    const fds: ProcFd[] = [];
    for (const name of names) {
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

  #path(pid: number, name: string): string {
    return `${this.root}/${pid}/${name}`;
  }

  #text(pid: number, name: string): string | undefined {
    try {
      return readFileSync(this.#path(pid, name), "utf8");
    } catch {
      return undefined;
    }
  }
}

/** Size, inode and device of a file; undefined when they cannot be read. */
export function fileFacts(
  path: string,
): { size: number; inode: number; device: number } | undefined {
  try {
    const { size, ino, dev } = statSync(path);
    return { size, inode: ino, device: dev };
  } catch {
    return undefined;
  }
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
    closeSync(openSync(path, mode));
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
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (
      code === "EACCES" || code === "EPERM" ||
      error instanceof Deno.errors.NotCapable
    ) {
      throw new ProcPermissionError(path, error);
    }
    if (code === "ENOENT" || code === "ESRCH" || code === "ENOTDIR") {
      return undefined;
    }
    throw error;
  }
}
