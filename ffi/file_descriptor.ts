/**
 * A file descriptor with positioned reads and hole detection.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";
import { cPath, ERRNO, errno, errnoText, libc } from "./libc.ts";

const O_RDONLY = 0;
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
/** Without waiting, should it be a FIFO by now. */
const O_NONBLOCK = 0o4000;
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** A half-open range of file offsets, in bytes. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

/** An open file; closed by `[Symbol.dispose]`. */
export class FileDescriptor implements Disposable {
  readonly path: string;
  #fd: number;

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.path = path;
  }

  /**
   * The descriptor's number; -1 once closed, since the number may be reused.
   */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Opens an existing file.
   *
   * @throws {XftraceError} naming the file and the missing right.
   */
  static open(path: string, options: { writable: boolean }): FileDescriptor {
    return FileDescriptor.#open(
      path,
      options.writable ? O_RDWR : O_RDONLY,
      path,
    );
  }

  /** @param name what the file is called in messages */
  static #open(place: string, mode: number, name: string): FileDescriptor {
    const fd = libc().open(cPath(place), mode | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd >= 0) return new FileDescriptor(fd, name);
    const code = errno();
    const why = code === ERRNO.EACCES || code === ERRNO.EPERM
      ? `${errnoText(code)}: run as root or as the user who owns the VM`
      : code === ERRNO.ESRCH
      ? "the process has ended"
      : errnoText(code);
    throw new XftraceError(`cannot open ${name}: ${why}`);
  }

  /**
   * Opens the same file again, for writing as well: the same inode, even if its
   * path leads elsewhere by now.
   *
   * @throws {XftraceError} as {@linkcode open}.
   */
  reopenWritable(): FileDescriptor {
    return FileDescriptor.#open(`/proc/self/fd/${this.fd}`, O_RDWR, this.path);
  }

  /** Size in bytes, by `lseek(SEEK_END)`; 0 when the file cannot seek. */
  size(): number {
    return Math.max(0, Number(libc().lseek(this.fd, 0n, SEEK_END)));
  }

  /**
   * Reads at `offset` (bytes) without moving a file position.
   *
   * @returns how many bytes were read, or `-errno`.
   */
  pread(into: Uint8Array<ArrayBuffer>, offset: number): number {
    const got = Number(
      libc().pread(this.fd, into, BigInt(into.length), BigInt(offset)),
    );
    return got >= 0 ? got : -errno();
  }

  /** Writes at `offset` (bytes); how many were written, or `-errno`. */
  pwrite(bytes: Uint8Array<ArrayBuffer>, offset: number): number {
    const put = Number(
      libc().pwrite(this.fd, bytes, BigInt(bytes.length), BigInt(offset)),
    );
    return put >= 0 ? put : -errno();
  }

  /**
   * The parts of `[start, end)` that are not holes. On a file system without
   * holes that is the whole range.
   */
  dataRanges(start: number, end: number): FileRange[] {
    const found: FileRange[] = [];
    let at = start;
    while (at < end) {
      const data = Number(libc().lseek(this.fd, BigInt(at), SEEK_DATA));
      if (data < 0) {
        // ENXIO: nothing but a hole up to the end of the file.
        if (errno() === ERRNO.ENXIO) break;
        return [{ start, end }];
      }
      if (data >= end) break;
      const hole = Number(libc().lseek(this.fd, BigInt(data), SEEK_HOLE));
      const stop = hole < 0 ? end : Math.min(hole, end);
      if (stop <= data) break;
      found.push({ start: data, end: stop });
      at = stop;
    }
    return found;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}
