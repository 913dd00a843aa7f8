/**
 * The format of the collector's file: the raw data that a follower read,
 * appended poll by poll. A file that ends in the middle of a record, because
 * the collector was killed, is valid up to the last complete poll.
 *
 * ```text
 * "XFSPOOL1"  u32 n  n bytes of JSON: the header    (padded to 8)
 * record*     u32 type, u32 bytes of body, body     (padded to 8)
 *   1 segment   u32 cpu, from, to; u16 ring, u16 size of its pages in 4 KiB,
 *               0 for the header's; f64 fromTs; the page's data from..to
 *   2 poll      f64 complete; f64 lost, f64 dropped
 *   3 comm      s32 pid, u32 0, 16 bytes
 *   4 lost      u32 cpu, 0; f64 count: before the CPU's next segment
 * ```
 * All numbers are little-endian; times are in ns since the header's epoch.
 *
 * @module
 */
import { z } from "zod";

/** The file's first bytes. */
export const SPOOL_MAGIC = "XFSPOOL1";
/** Record types. */
export const RECORD = { segment: 1, poll: 2, comm: 3, lost: 4 } as const;
/** Size of a record's head in bytes. */
export const RECORD_HEAD = 8;
/** Bytes of a segment's body before the page's data. */
export const SEGMENT_HEAD = 24;
/** Size of a comm in bytes. */
export const COMM_BYTES = 16;
/** The unit of a segment's page size. */
export const SIZE_UNIT = 4096;
/** Maximum size of a sub-buffer in bytes. */
export const LARGEST_PAGE = 4 << 20;

/** The header of a spool file. */
export interface SpoolHeader {
  /** The target that was followed: `qemu:web1`. */
  readonly target: string;
  readonly release: string;
  readonly buildId?: string | undefined;
  /** The time from which times count, in ns of the trace clock. */
  readonly epoch: string;
  /** Size of a sub-buffer in bytes. */
  readonly pageSize: number;
  /** When following began by the wall clock, ISO 8601. */
  readonly started: string;
}

/** Validates the JSON at the start of the file. */
export const headerSchema: z.ZodType<SpoolHeader> = z.object({
  target: z.string(),
  release: z.string(),
  buildId: z.string().optional(),
  epoch: z.string().regex(/^\d+$/),
  pageSize: z.int().positive().multipleOf(8).max(LARGEST_PAGE),
  started: z.string(),
});

/** Size of a part of the file including padding, in bytes. */
export const padded = (bytes: number): number => (bytes + 7) & ~7;
