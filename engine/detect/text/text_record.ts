/**
 * Texts as they were when they were first checked, kept in files. Later checks
 * of the same boot compare with them when there is no trusted image.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { forgetOld } from "../../base/state_folder.ts";

/** A recorded text, under a name that no other boot or load has. */
export interface RecordedText {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly bytes: Uint8Array;
  /** When it was recorded, in ISO 8601, UTC. */
  readonly since: string;
}

/** A store of texts. */
export interface TextRecords {
  /**
   * The text with that name; `undefined` when none was recorded.
   *
   * @throws {XftraceError} when the record is damaged.
   */
  load(name: string): RecordedText | undefined;
  /** Stores a text. @throws {XftraceError} when it cannot be written. */
  save(name: string, start: bigint, bytes: Uint8Array): void;
}

const SUFFIX = ".text";

const header = z.strictObject({
  format: z.literal("xftrace-text"),
  version: z.literal(1),
  start: z.string().regex(/^0x[0-9a-f]{1,16}$/),
  since: z.string(),
  bytes: z.int().nonnegative().max(1 << 28),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const sha256 = (bytes: Uint8Array) =>
  createHash("sha256").update(bytes).digest("hex");

/**
 * Stores texts in a folder that only its owner may read. Each file holds a line
 * of JSON, then the bytes compressed with zstd.
 *
 * @param folder created when the first text is stored
 * @param boot identifies this run of this guest
 *
 * @example
 * ```ts ignore
 * import { bootOf } from "xftrace";
 * import { textRecords } from "xftrace/detect";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const boot = bootOf(guest.session);
 * if (boot !== undefined) {
 *   const records = textRecords("/var/lib/xftrace/texts", boot);
 *   await guest.check({ only: ["XF020"], textRecords: records });
 * }
 * ```
 */
export function textRecords(folder: string, boot: string): TextRecords {
  const path = (name: string) =>
    join(folder, `${boot}-${name}`.replace(/[^\w.-]/g, "_") + SUFFIX);
  return {
    load(name) {
      const file = path(name);
      let content: Uint8Array;
      try {
        content = readFileSync(file);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw new XftraceError(`${file} cannot be read: ${messageOf(error)}`);
      }
      return decode(file, content);
    },
    save(name, start, bytes) {
      const file = path(name);
      const line = JSON.stringify(
        {
          format: "xftrace-text",
          version: 1,
          start: hex(start),
          since: new Date().toISOString(),
          bytes: bytes.length,
          sha256: sha256(bytes),
        } satisfies z.infer<typeof header>,
      ) + "\n";
      const temporary = `${file}.${crypto.randomUUID()}.tmp`;
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        forgetOld(folder, SUFFIX);
        const packed = zstdCompressSync(bytes);
        const whole = new Uint8Array(line.length + packed.length);
        whole.set(new TextEncoder().encode(line));
        whole.set(packed, line.length);
        writeFileSync(temporary, whole, { mode: 0o600 });
        renameSync(temporary, file);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw new XftraceError(
          `${file} cannot be written: ${messageOf(error)}`,
        );
      }
    },
  };
}

function decode(file: string, content: Uint8Array): RecordedText {
  const damaged = () =>
    new XftraceError(
      `${file} is damaged; remove it, and the next check creates a new one`,
    );
  const end = content.indexOf(10);
  let bytes: Uint8Array;
  let said: z.infer<typeof header>;
  try {
    const line = new TextDecoder().decode(content.subarray(0, end));
    said = header.parse(JSON.parse(line));
    bytes = new Uint8Array(zstdDecompressSync(content.subarray(end + 1), {
      maxOutputLength: Math.max(1, said.bytes),
    }));
  } catch {
    throw damaged();
  }
  if (bytes.length !== said.bytes || sha256(bytes) !== said.sha256) {
    throw damaged();
  }
  return { start: BigInt(said.start), bytes, since: said.since };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
