/**
 * Finds the pages of a process that exist, by its page map
 * (Documentation/admin-guide/mm/pagemap.rst): reading a page that does not
 * exist would allocate it.
 *
 * @module
 */
import { FileDescriptor, type FileRange } from "./file_descriptor.ts";
import { libc } from "./libc.ts";

const ENTRIES = 65536;
/** Bits 63 (present) and 62 (swapped), in the entry's high word. */
const EXISTS = 0xc000_0000;

/**
 * The parts of `[start, end)`, in HVAs of a process, whose pages exist.
 *
 * @throws {XftraceError} when the page map may not be read.
 */
export function existingRanges(
  pid: number,
  start: number,
  end: number,
): FileRange[] {
  using file = FileDescriptor.open(`/proc/${pid}/pagemap`, { writable: false });
  // The host's page size, not the guest's.
  const pageSize = libc().getpagesize();
  const bytes = new Uint8Array(ENTRIES * 8);
  const words = new Uint32Array(bytes.buffer);
  const found: { start: number; end: number }[] = [];
  for (let at = start; at < end; at += ENTRIES * pageSize) {
    const count = Math.min(ENTRIES, (end - at) / pageSize);
    const got = file.pread(bytes.subarray(0, count * 8), (at / pageSize) * 8);
    // Without the page map's answer, treat all of it as existing.
    if (got !== count * 8) return [{ start, end }];
    for (let i = 0; i < count; i++) {
      if ((words[2 * i + 1] & EXISTS) === 0) continue;
      const page = at + i * pageSize;
      const last = found.at(-1);
      if (last !== undefined && last.end === page) last.end = page + pageSize;
      else found.push({ start: page, end: page + pageSize });
    }
  }
  return found;
}
