/**
 * Makes memory files with holes, for tests.
 *
 * @module
 */

/** 2 MiB: no file system keeps blocks that are larger. */
export const HOLE = 2 << 20;

/** A file that is gone afterwards. */
export class MemoryFile implements Disposable {
  readonly path: string;

  /** Of `size` bytes, all of it a hole. */
  constructor(size: number) {
    // Where guests' memory lies, if there is such a place.
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

  /** All of its bytes. */
  read(): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(this.path);
  }

  /** Bytes that the file system has for it; holes take none. */
  get allocated(): number {
    return (Deno.statSync(this.path).blocks ?? 0) * 512;
  }

  /** Cuts it, or makes it longer. */
  resize(size: number): void {
    Deno.truncateSync(this.path, size);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** Bytes that tell their place. */
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
