/**
 * The few libc functions that Deno does not offer. Only this folder uses
 * `Deno.dlopen` or `Deno.Unsafe*`.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  memmem: {
    parameters: ["pointer", "usize", "buffer", "usize"],
    result: "pointer",
  },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  getpagesize: { parameters: [], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const MUSL = `libc.musl-${Deno.build.arch}.so.1`;

let loaded: Libc | undefined;

/**
 * libc's functions, loaded on first use so that importing this file needs no
 * permission.
 *
 * @throws {XftraceError} when FFI is not permitted or libc cannot be found.
 */
export function libc(): Libc {
  if (loaded !== undefined) return loaded;
  const tried: string[] = [];
  for (const name of ["libc.so.6", "libc.so", MUSL]) {
    try {
      loaded = Deno.dlopen(name, SYMBOLS).symbols;
      return loaded;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) {
        throw new XftraceError(
          "live memory needs FFI: run deno with --allow-ffi (replaying a core needs --allow-read only)",
          { cause: error },
        );
      }
      tried.push(name);
    }
  }
  throw new XftraceError(`no C library found (tried ${tried.join(", ")})`);
}

/** The `errno` of the last libc call that failed on this thread. */
export function errno(): number {
  const at = libc().__errno_location();
  return at === null ? 0 : new Deno.UnsafePointerView(at).getInt32();
}

/** errno values that callers tell apart. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  EACCES: 13,
  EFAULT: 14,
  EINVAL: 22,
} as const;

const ERRNO_TEXT: Readonly<Record<number, string>> = {
  1: "operation not permitted",
  2: "no such file",
  3: "no such process",
  5: "input/output error",
  6: "no such address",
  12: "out of memory",
  13: "permission denied",
  14: "bad address",
  16: "busy",
  19: "no such device",
  22: "invalid argument",
  111: "nobody listens",
};

/** An errno value in words. */
export function errnoText(code: number): string {
  return ERRNO_TEXT[code] ?? `error ${code}`;
}

/** A path as the NUL-terminated bytes that libc takes. */
export function cPath(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(path + "\0");
}
