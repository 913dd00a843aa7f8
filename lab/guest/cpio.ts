/**
 * Writes `newc` cpio archives: the format of a kernel's initial file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * @module
 */

/** A file, folder, symbolic link or device node of an archive. */
export interface CpioEntry {
  /** Path without a leading slash. */
  readonly path: string;
  /** File type and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly data?: Uint8Array;
  /** Numbers of a device node. */
  readonly device?: readonly [major: number, minor: number];
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;

/** A folder, mode 0755. */
export function folder(path: string): CpioEntry {
  return { path, mode: S_IFDIR | 0o755 };
}

/** A plain file. */
export function file(path: string, data: Uint8Array, mode = 0o644): CpioEntry {
  return { path, mode: S_IFREG | mode, data };
}

/** A symbolic link. */
export function link(path: string, target: string): CpioEntry {
  return {
    path,
    mode: S_IFLNK | 0o777,
    data: new TextEncoder().encode(target),
  };
}

/** A character device. */
export function device(path: string, major: number, minor: number): CpioEntry {
  return { path, mode: S_IFCHR | 0o600, device: [major, minor] };
}

/**
 * Writes an archive in the "newc" format, which the kernel unpacks as its
 * initial file system. A folder must come before its files. All owners are root
 * and all times zero, so that equal input gives equal bytes.
 */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const encoder = new TextEncoder();
  const all = [...entries, { path: "TRAILER!!!", mode: 0 }];
  const parts: Uint8Array[] = [];
  let length = 0;
  const push = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  const align = () => push(new Uint8Array(-length & 3));

  all.forEach((entry: CpioEntry, index) => {
    const name = encoder.encode(`${entry.path}\0`);
    const data = entry.data ?? new Uint8Array();
    const links = (entry.mode & 0o170000) === S_IFDIR ? 2 : 1;
    const fields = [
      index + 1,
      entry.mode,
      0,
      0,
      links,
      0,
      data.length,
      0,
      0,
      entry.device?.[0] ?? 0,
      entry.device?.[1] ?? 0,
      name.length,
      0,
    ];
    const hex = fields.map((n) => n.toString(16).padStart(8, "0")).join("");
    push(encoder.encode(`070701${hex}`));
    push(name);
    align();
    push(data);
    align();
  });

  const archive = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
