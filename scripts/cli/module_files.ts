/**
 * Files of kernel modules that users name: a `.ko`, compressed or not, or a
 * folder of them.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { basename, join } from "node:path";
import { XftraceError } from "xftrace";
import { readRelocatable, type Relocatable } from "xftrace/detect";
import { tooLarge, unpack, type Unpacked, unpackXz } from "./kernel_file.ts";
import { usage } from "./option_values.ts";
import { readGiven, unreadable } from "./user_files.ts";

/** More bytes than the files of all modules of a guest have, unpacked. */
const MOST_KEPT = 512 << 20;

/** More bytes than are unpacked before they are asked for. */
const MOST_PREPARED = 256 << 20;

const NAME = /^(.+)\.ko(\.(xz|zst|gz))?$/;

/** Files of modules, by the name that the kernel uses. */
export interface ModuleFiles {
  /**
   * The files of a module.
   *
   * @throws {XftraceError} when none of them can be read.
   */
  (name: string): readonly Relocatable[];
  /**
   * Unpacks the files of modules that will be asked for, together. What cannot
   * be unpacked is told when it is asked for.
   */
  prepare(names: readonly string[]): void;
}

/**
 * Finds module files by the name that the kernel uses; reads them on demand, and
 * once.
 *
 * @param paths files, or folders, which are searched recursively
 * @throws {XftraceError} when one is not there or holds no module.
 */
export function moduleFiles(paths: readonly string[]): ModuleFiles {
  const found = new Map<string, string[]>();
  for (const path of paths) {
    let added: number;
    try {
      added = Deno.statSync(path).isDirectory
        ? collect(path, found)
        : add(found, path);
    } catch (error) {
      throw unreadable(path, error, "--modules");
    }
    if (added === 0) {
      throw usage(
        `--modules ${path}: there is no module (.ko, .ko.xz, .ko.zst, .ko.gz); give a module's file or a folder such as /lib/modules/RELEASE`,
      );
    }
  }
  const read = new Map<string, readonly Relocatable[] | XftraceError>();
  const ready = new Map<string, Uint8Array>();
  let room = MOST_KEPT;
  const files = (name: string) => {
    let files = read.get(name);
    if (files === undefined) {
      files = readAll(found.get(name) ?? [], (path) => {
        const bytes = ready.get(path) ?? plain(path);
        ready.delete(path);
        if (bytes.length > room) {
          throw new XftraceError(
            `${path} is not read: the files of the guest's modules have more than ${MOST_KEPT} bytes; give them without debugging information (strip --strip-debug)`,
          );
        }
        room -= bytes.length;
        return readRelocatable(path, bytes);
      });
      read.set(name, files);
    }
    if (files instanceof XftraceError) throw files;
    return files;
  };
  const prepare = (names: readonly string[]) => {
    const wanted = new Set(names.filter((name) => !read.has(name)));
    const paths = [...wanted].flatMap((name) => found.get(name) ?? [])
      .filter((path) => path.endsWith(".xz") && !ready.has(path));
    for (const [path, bytes] of unpackTogether(paths)) ready.set(path, bytes);
  };
  return Object.assign(files, { prepare });
}

/** Unpacks files that can be read, as far as that can be done together. */
function unpackTogether(paths: readonly string[]): [string, Uint8Array][] {
  const packed: { path: string; bytes: Uint8Array }[] = [];
  let room = MOST_PREPARED;
  for (const path of paths) {
    try {
      const bytes = readGiven(path);
      if ((room -= bytes.length) < 0) break;
      packed.push({ path, bytes });
    } catch (error) {
      // Told when it is asked for.
      if (!(error instanceof XftraceError)) throw error;
    }
  }
  const unpacked = unpackXz(packed.map(({ bytes }) => bytes), MOST_PREPARED);
  return packed.flatMap(({ path }, i) => {
    const bytes = unpacked[i];
    return bytes === undefined ? [] : [[path, bytes]];
  });
}

/** Reads files; those that cannot be read matter only if none can. */
function readAll(
  paths: readonly string[],
  read: (path: string) => Relocatable,
): readonly Relocatable[] | XftraceError {
  const files: Relocatable[] = [];
  let failed: XftraceError | undefined;
  for (const path of paths) {
    try {
      files.push(read(path));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      failed ??= error;
    }
  }
  return files.length === 0 && failed !== undefined ? failed : files;
}

/** Adds the modules in a folder, recursively; returns how many there are. */
function collect(folder: string, found: Map<string, string[]>): number {
  let added = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    added += isDirectory ? collect(path, found) : add(found, path);
  }
  return added;
}

/** Adds a file if it is a module; returns 1 if it is, else 0. */
function add(found: Map<string, string[]>, path: string): number {
  const file = NAME.exec(basename(path))?.[1];
  if (file === undefined) return 0;
  // The kernel writes a dash in a module's name as an underscore.
  const name = file.replaceAll("-", "_");
  found.set(name, [...found.get(name) ?? [], path]);
  return 1;
}

/** More bytes than a module's file has. */
const LIMIT = { maxOutputLength: 256 << 20 };

function plain(path: string): Uint8Array {
  const packed = readGiven(path);
  const bytes = unpacked(path, packed);
  if (typeof bytes === "object") return bytes;
  if (bytes === "too large") throw tooLarge(path);
  throw new XftraceError(
    `${path} could not be unpacked; install xz-utils, or give it unpacked`,
  );
}

function unpacked(path: string, packed: Uint8Array): Unpacked {
  try {
    if (path.endsWith(".xz")) return unpack("xz", packed);
    if (path.endsWith(".zst")) return zstdDecompressSync(packed, LIMIT);
    if (path.endsWith(".gz")) return gunzipSync(packed, LIMIT);
    return packed;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) {
      if (cause.code === "ERR_BUFFER_TOO_LARGE") return "too large";
    }
    throw new XftraceError(
      `${path} is damaged: what is packed in it cannot be unpacked`,
      { cause },
    );
  }
}
