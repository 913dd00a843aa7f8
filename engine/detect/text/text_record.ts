/**
 * Texts that earlier checks recorded on the host, for guests without a trusted
 * image to compare with.
 *
 * They belong to a run of a VM, which the host knows, and not to what the guest
 * says that it runs: a guest that claims to be another kernel must not get new
 * records for that. A VM may be restarted inside, so there are records of
 * several boots; which of them is the present one is decided by its text, see
 * {@linkcode BootRecords}.
 *
 * @module
 */
import { hostUptimeMs } from "../../base/host_uptime.ts";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { replaceHostFile } from "../../base/host_file/create.ts";
import {
  makeOwnFolder,
  requireOwnFolder,
} from "../../base/host_file/folder.ts";
import { isMissing } from "../../base/host_file/open.ts";
import { readHostFile } from "../../base/host_file/read.ts";
import { forgetOld } from "../../base/state_folder.ts";

/** A text, and what was said when it was recorded. */
export interface RecordedText {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly bytes: Uint8Array;
  /** When it was recorded, in ISO 8601, UTC. */
  readonly since: string;
  /** How long the host had been running then, ms. */
  readonly hostUp?: number | undefined;
  /** What the guest said then about its kernel: release and BUILD-ID. */
  readonly kernel: string;
}

/** The records of one run of one VM. */
export interface TextRecords {
  /**
   * The boots of which something was recorded, each by the name that begins the
   * names of its texts.
   *
   * @throws {XftraceError} when they cannot be listed.
   */
  boots(): string[];
  /**
   * The text with that name; `undefined` when none was recorded.
   *
   * @throws {XftraceError} when the record is damaged, or another user's.
   */
  load(boot: string, name: string): RecordedText | undefined;
  /** Stores a text. @throws {XftraceError} when it cannot be written. */
  save(
    boot: string,
    name: string,
    text: Omit<RecordedText, "since" | "hostUp">,
  ): void;
}

const SUFFIX = ".text";
/** The text that each boot has. */
const KERNEL = "kernel";
/** The most bytes of a text, and of its file: as many as are ever read. */
const MOST_BYTES = 1 << 27;
/** The most boots whose records are kept apart. */
const MOST_BOOTS = 16;
/** The form of a boot's name. */
const BOOT = /^[0-9a-f]{8}$/;

const header = z.strictObject({
  format: z.literal("xftrace-text"),
  version: z.literal(2),
  start: z.string().regex(/^0x[0-9a-f]{1,16}$/),
  since: z.string(),
  hostUp: z.number().nonnegative().optional(),
  kernel: z.string().max(500),
  bytes: z.int().nonnegative().max(MOST_BYTES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const sha256 = (bytes: Uint8Array) =>
  createHash("sha256").update(bytes).digest("hex");

const safe = (name: string) => name.replace(/[^\w.-]/g, "_");

/**
 * Stores texts in a folder that only its owner may read. Each file holds a line
 * of JSON, then the bytes compressed with zstd.
 *
 * @param folder created when the first text is stored
 * @param run identifies this run of this VM by what the host knows of it: a
 * session's `key`
 *
 * @example
 * ```ts ignore
 * import { textRecords } from "xftrace/detect";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const { key } = guest.session;
 * if (key !== undefined) {
 *   const records = textRecords("/var/lib/xftrace/texts", key);
 *   await guest.check({ only: ["XF020"], textRecords: records });
 * }
 * ```
 */
export function textRecords(folder: string, run: string): TextRecords {
  const path = (boot: string, name: string) =>
    join(folder, `${safe(run)}-${boot}-${safe(name)}${SUFFIX}`);
  return {
    boots() {
      const [before, after] = [`${safe(run)}-`, `-${KERNEL}${SUFFIX}`];
      let names: string[];
      try {
        names = readdirSync(folder);
      } catch (error) {
        if (isMissing(error)) return [];
        throw unusable(folder, "listed", error);
      }
      const boots = names
        .filter((name) => name.startsWith(before) && name.endsWith(after))
        .map((name) => name.slice(before.length, -after.length))
        .filter((boot) => BOOT.test(boot));
      if (boots.length <= MOST_BOOTS) return boots;
      throw new XftraceError(
        `${folder} has records of ${boots.length} boots of one VM: a guest that pretends to be restarted again and again makes them; remove ${before}*`,
      );
    },
    load(boot, name) {
      const file = path(boot, name);
      let content: Uint8Array;
      try {
        requireOwnFolder(folder);
        content = readHostFile(file, { own: true, limit: MOST_BYTES });
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw unusable(file, "read", error);
      }
      return decode(file, content);
    },
    save(boot, name, { start, bytes, kernel }) {
      const file = path(boot, name);
      const line = JSON.stringify(
        {
          format: "xftrace-text",
          version: 2,
          start: hex(start),
          since: new Date().toISOString(),
          hostUp: hostUptimeMs(),
          kernel: kernel.slice(0, 500),
          bytes: bytes.length,
          sha256: sha256(bytes),
        } satisfies z.infer<typeof header>,
      ) + "\n";
      try {
        makeOwnFolder(folder);
        forgetOld(folder, SUFFIX);
        const head = new TextEncoder().encode(line);
        const packed = zstdCompressSync(bytes);
        const whole = new Uint8Array(head.length + packed.length);
        whole.set(head);
        whole.set(packed, head.length);
        replaceHostFile(file, whole);
      } catch (error) {
        throw unusable(file, "written", error);
      }
    },
  };
}

function unusable(path: string, what: string, error: unknown): XftraceError {
  return error instanceof XftraceError ? error : new XftraceError(
    `${path} cannot be ${what}: ${
      error instanceof Error ? error.message : String(error)
    }`,
  );
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
    // Not copied: it may be as large as the limit.
    const { buffer, byteOffset, length } = zstdDecompressSync(
      content.subarray(end + 1),
      { maxOutputLength: Math.max(1, said.bytes) },
    );
    bytes = new Uint8Array(buffer, byteOffset, length);
  } catch {
    throw damaged();
  }
  if (bytes.length !== said.bytes || sha256(bytes) !== said.sha256) {
    throw damaged();
  }
  const { start, since, hostUp, kernel } = said;
  return { start: BigInt(start), bytes, since, hostUp, kernel };
}
