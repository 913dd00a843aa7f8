/**
 * Reads the kernel image files that users give.
 *
 * @module
 */
import { XftraceError } from "xftrace";
import { readVmlinux, type Vmlinux } from "xftrace/detect";
import { readGiven } from "./user_files.ts";

/**
 * Compression formats that Deno cannot unpack: the tool that can, and its
 * Debian package.
 */
const TOOLS = {
  xz: ["xz", "xz-utils"],
  lzma: ["xz", "xz-utils"],
  lz4: ["lz4", "lz4"],
  bzip2: ["bzip2", "bzip2"],
  lzop: ["lzop", "lzop"],
} as const;

/**
 * Reads a vmlinuz, or an unpacked vmlinux.
 *
 * @throws {XftraceError} when it cannot be read; says what to do.
 */
export function readKernelFile(path: string): Vmlinux {
  const image = readGiven(path, { limit: MOST_IMAGE });
  return readVmlinux(path, image, (format, packed) => {
    const [tool, debianPackage] = TOOLS[format];
    const unpacked = unpack(tool, packed);
    if (typeof unpacked === "object") return unpacked;
    if (unpacked === "too large") throw tooLarge(path);
    throw new XftraceError(
      `${path} is packed with ${format}, and ${tool} could not unpack it; install ${debianPackage}, or give the unpacked vmlinux`,
    );
  });
}

/** The error for a file that unpacks to more than such a file has. */
export function tooLarge(path: string): XftraceError {
  return new XftraceError(
    `${path} unpacks to more than the ${MOST_UNPACKED} bytes that a kernel or module may have; give the right file`,
  );
}

/**
 * A shell's command: the tool is `$0`, the file `$1`, and the number of bytes
 * `$2`; arguments of the tool follow. Its status is printed on standard error,
 * since a pipeline has that of its last program.
 */
const UNPACK =
  'packed=$1; most=$2; shift 2; { "$0" "$@" -dc < "$packed" 2>/dev/null; ' +
  'echo "$?" >&3; } 3>&2 | head -c "$most"';

/** What a program unpacked, or why it is not all there. */
export type Unpacked = Uint8Array | "failed" | "too large";

/** More bytes than an unpacked kernel or module has. */
const MOST_UNPACKED = 256 << 20;
/** More bytes than a kernel with its debugging information has. */
const MOST_IMAGE = 1 << 30;
/**
 * More memory in MiB than unpacking takes for what is built with the kernel,
 * whose own unpacker allows less; only xz has an option for it.
 */
const XZ = ["--memlimit-decompress=256MiB"];

/**
 * Unpacks with a program of the host, but no more than `most` bytes: a small
 * file can unpack to any size.
 */
export function unpack(
  tool: string,
  packed: Uint8Array,
  most = MOST_UNPACKED,
): Unpacked {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, packed);
    const { stdout, stderr } = new Deno.Command("sh", {
      args: [
        "-c",
        UNPACK,
        tool,
        file,
        String(most + 1),
        ...(tool === "xz" ? XZ : []),
      ],
      stdin: "null",
    }).outputSync();
    if (stdout.length > most) return "too large";
    const done = new TextDecoder().decode(stderr).trim() === "0";
    return done && stdout.length > 0 ? stdout : "failed";
  } finally {
    Deno.removeSync(file);
  }
}
