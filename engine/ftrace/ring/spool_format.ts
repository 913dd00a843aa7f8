/**
 * The collector's file: what a follower read, as it was read, appended poll by
 * poll. A file that ends in the middle of a record (the collector was killed)
 * is good up to the last whole poll.
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
 * All little-endian; times are ns since the header's epoch.
 *
 * @module
 */
import { z } from "zod";

/** The file's first bytes. */
export const SPOOL_MAGIC = "XFSPOOL1";
/** Types of records. */
export const RECORD = { segment: 1, poll: 2, comm: 3, lost: 4 } as const;
/** Bytes before a record's body. */
export const RECORD_HEAD = 8;
/** Bytes of a segment's body before the page's data. */
export const SEGMENT_HEAD = 24;
/** Bytes of a comm. */
export const COMM_BYTES = 16;
/** Segments count the size of their pages in these. */
export const SIZE_UNIT = 4096;
/** Bytes of a sub-buffer, at most. */
export const LARGEST_PAGE = 4 << 20;

/** What a spool says of itself. */
export interface SpoolHeader {
  /** What was followed: `qemu:web1`. */
  readonly target: string;
  readonly release: string;
  readonly buildId?: string | undefined;
  /** What times count from, in ns of the trace clock. */
  readonly epoch: string;
  /** Bytes of a sub-buffer. */
  readonly pageSize: number;
  /** Wall clock when it began, ISO 8601. */
  readonly started: string;
}

/** Checks the JSON at the start. */
export const headerSchema: z.ZodType<SpoolHeader> = z.object({
  target: z.string(),
  release: z.string(),
  buildId: z.string().optional(),
  epoch: z.string().regex(/^\d+$/),
  pageSize: z.int().positive().multipleOf(8).max(LARGEST_PAGE),
  started: z.string(),
});

/** Bytes of a part of the file, with its padding. */
export const padded = (bytes: number): number => (bytes + 7) & ~7;
