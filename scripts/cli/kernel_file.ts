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

/** Bytes that are unpacked by one program at a time. */
const MOST_AT_ONCE = 64 << 20;

/**
 * Unpacks many files packed with xz, with few programs: to start one takes longer
 * than to unpack what a module has. Each file says how much it unpacks to.
 *
 * @param most how much they may unpack to; what is beyond it is left
 * @returns in place of each file what it unpacks to; `undefined` where it has to
 * be unpacked by itself, which tells what is wrong with it
 */
export function unpackXz(
  files: readonly Uint8Array[],
  most: number,
): (Uint8Array | undefined)[] {
  const unpacked: (Uint8Array | undefined)[] = files.map(() => undefined);
  let batch: { i: number; size: number }[] = [];
  let total = 0;
  let left = most;
  const flush = () => {
    const done = batch.length < 2
      ? "failed"
      : unpack("xz", joined(batch.map(({ i }) => files[i])), total);
    if (typeof done === "object" && done.length === total) {
      let at = 0;
      for (const { i, size } of batch) {
        // A copy: what is kept of one file does not keep the others.
        unpacked[i] = done.slice(at, at += size);
      }
    }
    batch = [];
    total = 0;
  };
  files.forEach((file, i) => {
    const size = xzSize(file);
    if (size === undefined || size > Math.min(left, MOST_AT_ONCE)) return;
    left -= size;
    if (total + size > MOST_AT_ONCE) flush();
    batch.push({ i, size });
    total += size;
  });
  flush();
  return unpacked;
}

function joined(files: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(
    files.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const file of files) {
    all.set(file, at);
    at += file.length;
  }
  return all;
}

/** Bytes of a stream's header, and of its footer. */
const XZ_END = 12;
/** Blocks that a file of a module has at most; xz makes one. */
const MOST_BLOCKS = 1024;

/**
 * The size of what a file packed with xz unpacks to, by its index (the .xz file
 * format, sections 2 to 4); `undefined` if it is none, or not one stream alone.
 * xz refuses a file whose index does not agree with what is packed.
 */
export function xzSize(file: Uint8Array): number | undefined {
  const { length } = file;
  const starts = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0].every((byte, i) =>
    file[i] === byte
  );
  const ends = file[length - 2] === 0x59 && file[length - 1] === 0x5a;
  if (!starts || !ends || length < 2 * XZ_END) return undefined;
  const view = new DataView(file.buffer, file.byteOffset, length);
  const indexSize = 4 * (view.getUint32(length - XZ_END + 4, true) + 1);
  const index = length - XZ_END - indexSize;
  if (index < XZ_END || file[index] !== 0) return undefined;
  let at = index + 1;
  const number = () => {
    let value = 0;
    for (let scale = 1; at < length && scale < 2 ** 42; scale *= 128) {
      const byte = file[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  const blocks = number();
  if (!(blocks <= MOST_BLOCKS)) return undefined;
  let [packed, size] = [0, 0];
  for (let i = 0; i < blocks; i++) {
    packed += Math.ceil(number() / 4) * 4;
    size += number();
  }
  // Nothing lies between the header, the blocks and the index: it is one stream.
  return packed + XZ_END === index && Number.isSafeInteger(size)
    ? size
    : undefined;
}
