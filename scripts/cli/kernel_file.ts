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
  return readVmlinux(path, readGiven(path), (format, packed) => {
    const [tool, debianPackage] = TOOLS[format];
    const unpacked = unpack(tool, packed);
    if (unpacked !== undefined) return unpacked;
    throw new XftraceError(
      `${path} is packed with ${format}, and ${tool} could not unpack it; install ${debianPackage}, or give the unpacked vmlinux`,
    );
  });
}

/** Unpacks with a program of the host; `undefined` when that fails. */
export function unpack(
  tool: string,
  packed: Uint8Array,
): Uint8Array | undefined {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(file, packed);
    const { success, stdout } = new Deno.Command("sh", {
      args: ["-c", '"$0" -dc < "$1"', tool, file],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success && stdout.length > 0 ? stdout : undefined;
  } finally {
    Deno.removeSync(file);
  }
}
