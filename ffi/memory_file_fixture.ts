/**
 * Makes memory files with holes, for tests.
 *
 * @module
 */

/** 2 MiB: no file system keeps blocks that are larger. */
export const HOLE = 2 << 20;

/** A temporary file, removed by `[Symbol.dispose]`. */
export class MemoryFile implements Disposable {
  readonly path: string;

  /** Makes a file of `size` bytes that is one hole. */
  constructor(size: number) {
    // Preferably on tmpfs, where memory files of guests usually are.
    const tmpfs = "/dev/shm";
    const dir = isFolder(tmpfs) ? { dir: tmpfs } : {};
    this.path = Deno.makeTempFileSync({ prefix: "xftrace-test-", ...dir });
    Deno.truncateSync(this.path, size);
  }

  /** Writes bytes at an offset. */
  put(bytes: Uint8Array, offset: number): void {
    using file = Deno.openSync(this.path, { write: true });
    file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      at += file.writeSync(bytes.subarray(at));
    }
  }

  /** Reads the whole file. */
  read(): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(this.path);
  }

  /** Bytes that the file system has allocated; holes take none. */
  get allocated(): number {
    return (Deno.statSync(this.path).blocks ?? 0) * 512;
  }

  /** Truncates or extends the file. */
  resize(size: number): void {
    Deno.truncateSync(this.path, size);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** Bytes that differ from place to place and are never 0. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) | 1);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
