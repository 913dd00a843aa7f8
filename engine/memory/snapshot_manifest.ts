/**
 * The manifest of a snapshot: JSON in a note of owner `XFTRACE`, type 1. It
 * says what the core holds and where it came from.
 *
 * @module
 */

import { parseJson } from "../base/json.ts";
import { z } from "zod";
import { XftraceError } from "../base/errors.ts";

/** Owner of the manifest's note. */
export const MANIFEST_NOTE = "XFTRACE";
/** Type of the manifest's note. */
export const MANIFEST_NOTE_TYPE = 1;
/** The manifest's format that this version writes and reads. */
export const SNAPSHOT_FORMAT = 1;

/** More bytes than a manifest has. */
const MOST_BYTES = 1 << 20;

const gpa = z.number().int().nonnegative();

/** Checks a manifest of format 1; unknown members are kept. */
export const SnapshotManifestSchema = z.looseObject({
  /** Version of this structure. */
  format: z.literal(SNAPSHOT_FORMAT),
  /** Version of xftrace that wrote it. */
  xftrace: z.string(),
  /** When it was written, ISO 8601. */
  created: z.iso.datetime({ offset: true }),
  /** The target as the user named it: `qemu:web1`. */
  target: z.string(),
  /** `needed`: only the pages that were read; `full`: all of RAM. */
  content: z.enum(["needed", "full"]),
  /** The guest's RAM, GPA start and end of each range, whether saved or not. */
  ram: z.array(z.tuple([gpa, gpa])),
  /** The kernel, when it was found. */
  kernel: z.looseObject({
    /** As printed by `uname -r`. */
    release: z.string(),
    /** BUILD-ID in hex, from vmcoreinfo. */
    buildId: z.string().optional(),
    /** Runtime GVA of the image minus its link address, hex. */
    kaslrOffset: z.string().optional(),
    /** phys_base of the kernel, hex; may be negative. */
    physBase: z.string().optional(),
    /** GVA at which the direct map begins, hex. */
    pageOffset: z.string().optional(),
  }).optional(),
  /** GPA of the kernel's top page table, hex. */
  topTable: z.string().optional(),
  /** Remarks for the reader, one sentence each. */
  notes: z.array(z.string()).optional(),
});

/** What a snapshot holds and where it came from. */
export type SnapshotManifest = z.infer<typeof SnapshotManifestSchema>;

/**
 * Parses the manifest of the snapshot `path`.
 *
 * @throws {XftraceError} when it has a newer format or is damaged.
 */
export function parseManifest(
  path: string,
  desc: Uint8Array,
): SnapshotManifest {
  const damaged = (cause: unknown) =>
    new XftraceError(`${path} is damaged: its XFTRACE note cannot be read`, {
      cause,
    });
  if (desc.length > MOST_BYTES) throw damaged("it is too long");
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(desc));
  } catch (error) {
    throw damaged(error);
  }
  const version = z.looseObject({ format: z.int() }).safeParse(value);
  if (!version.success) throw damaged(version.error);
  if (version.data.format > SNAPSHOT_FORMAT) {
    throw new XftraceError(
      `${path} is a snapshot of format ${version.data.format}, and this ` +
        `xftrace reads formats up to ${SNAPSHOT_FORMAT}; use a newer xftrace`,
    );
  }
  const manifest = SnapshotManifestSchema.safeParse(value);
  if (!manifest.success) throw damaged(manifest.error);
  return manifest.data;
}

/** Encodes a manifest, after checking it. */
export function encodeManifest(manifest: SnapshotManifest): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify(SnapshotManifestSchema.parse(manifest)),
  );
}
