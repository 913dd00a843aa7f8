/**
 * Dumps of LiME, which a module writes from within the guest: ranges of physical
 * memory, each behind a header of 32 bytes (LiME Memory Range Header, version 1:
 * magic, version, first and last address, 8 bytes that are reserved). The headers
 * are read once, the ranges only when they are asked for. Pure.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { type CorePart, disjointParts } from "../elf_core_parts.ts";
import type { ByteSource } from "../elf_core_source.ts";

/** The first bytes of a dump: the number 0x4c694d45, little-endian. */
export const LIME_MAGIC = "EMiL";

const MAGIC = 0x4c694d45;
const HEADER_BYTES = 32;
const VERSION = 1;
/** More ranges than /proc/iomem shows of any machine. */
const MOST_RANGES = 1 << 16;
/** One past the highest address: physical addresses have 52 bits. */
const MOST_RAM = 2n ** 52n;

/**
 * Where each range of a dump is. Where ranges overlap, the first one counts.
 *
 * @param path for messages
 * @throws {XftraceError} one sentence: a newer version, a file cut short, or a
 * header that cannot be.
 */
export function limeParts(path: string, source: ByteSource): CorePart[] {
  const fail = (what: string) => new XftraceError(`${path} ${what}`);
  const head = new DataView(new ArrayBuffer(HEADER_BYTES));
  const ranges: { paddr: number; offset: number; fileSize: number }[] = [];
  for (let at = 0; at < source.size;) {
    if (at + HEADER_BYTES > source.size) {
      throw fail(
        "is cut short: it ends within the header of a range; dump or copy it again",
      );
    }
    source.readAt(at, new Uint8Array(head.buffer));
    if (head.getUint32(0, true) !== MAGIC) {
      throw fail(
        `is damaged: at its byte ${at}, where the next range should begin, there is no LiME header; dump or copy it again`,
      );
    }
    const version = head.getUint32(4, true);
    if (version !== VERSION) {
      throw fail(
        `is a LiME dump of version ${version}, and only version ${VERSION} can be read; dump it with format=lime of LiME 1`,
      );
    }
    const first = head.getBigUint64(8, true);
    const last = head.getBigUint64(16, true);
    if (last < first || last >= MOST_RAM) {
      throw fail(
        `is damaged: the header at its byte ${at} claims the range from 0x${
          first.toString(16)
        } to 0x${last.toString(16)}; dump or copy it again`,
      );
    }
    if (ranges.length === MOST_RANGES) {
      throw fail(
        `is damaged: it has more than ${
          MOST_RANGES.toLocaleString("en-US")
        } ranges; dump it again`,
      );
    }
    at += HEADER_BYTES;
    const fileSize = Number(last - first) + 1;
    if (fileSize > source.size - at) {
      throw fail(
        `is cut short: ${
          fileSize - (source.size - at)
        } bytes of its range at 0x${
          first.toString(16)
        } are missing; dump or copy it again`,
      );
    }
    ranges.push({ paddr: Number(first), offset: at, fileSize });
    at += fileSize;
  }
  return disjointParts(ranges);
}
