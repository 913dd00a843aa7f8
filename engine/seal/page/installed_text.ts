/**
 * The text of a module that the host itself has loaded: its digest is stored on
 * the host at that moment, so that any later check notices a change, whoever
 * runs it.
 *
 * @module
 */
import { hostUptimeMs } from "../../base/host_uptime.ts";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { replaceHostFile } from "../../base/host_file/create.ts";
import { makeOwnFolder } from "../../base/host_file/folder.ts";
import { readHostTextIfThere } from "../../base/host_file/read.ts";
import { unwritable } from "../../base/host_file/write_error.ts";
import { forgetOld, stateFolder } from "../../base/state_folder.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { bootOf } from "../../session.ts";
import type { ControlPage } from "./control_page.ts";
import { installedBoot } from "./installed_boot.ts";

/** The stored record about a loaded module. */
export interface InstalledText {
  readonly format: 1;
  /** When the module was loaded, ISO 8601, UTC. */
  readonly since: string;
  /** How long the host had been running then, ms. */
  readonly hostUp?: number | undefined;
  /** Random number of this load of the module, in hex. */
  readonly load: string;
  /** SHA-256 of the module's text in guest memory, in hex. */
  readonly text: string;
  /** SHA-256 of the file that was loaded, in hex. */
  readonly file: string;
}

const SHAPE: z.ZodType<InstalledText> = z.strictObject({
  format: z.literal(1),
  since: z.string(),
  hostUp: z.number().nonnegative().optional(),
  load: z.string().regex(/^[0-9a-f]{32}$/),
  text: z.string().regex(/^[0-9a-f]{64}$/),
  file: z.string().regex(/^[0-9a-f]{64}$/),
});

/** SHA-256 of the module's current text, in hex. */
export function textDigest({ kernel, module }: ControlPage): string {
  const { start, end } = module.text;
  return createHash("sha256")
    .update(kernel.space.bytes(start, Number(end - start))).digest("hex");
}

/** Random number of this load of the module, in hex. */
export function loadOf(page: ControlPage): string {
  return new Uint8Array(page.nonce.slice().buffer).toHex();
}

/**
 * The record to store about a module that has just been loaded.
 *
 * @param file SHA-256 of its file
 */
export function installedText(page: ControlPage, file: string): InstalledText {
  return {
    format: 1,
    since: new Date().toISOString(),
    hostUp: hostUptimeMs(),
    load: loadOf(page),
    text: textDigest(page),
    file,
  };
}

/**
 * What has changed in a module that the host loaded itself; `undefined` when
 * nothing has.
 *
 * @param digest digest of its current text
 */
export function changeSince(
  installed: InstalledText,
  page: ControlPage,
  digest: string,
): "loaded again" | "text changed" | undefined {
  if (installed.load !== loadOf(page)) return "loaded again";
  return installed.text === digest ? undefined : "text changed";
}

/** The most bytes of a record. */
const RECORD_BYTES = 65_536;

/** The files with these records: one for each run of each guest. */
export class InstalledTexts {
  readonly #path: string;

  /**
   * @param folder created when something is stored
   * @param boot identifies this run of this guest
   */
  constructor(folder: string, boot: string) {
    this.#path = join(folder, `${boot.replace(/[^\w.-]/g, "_")}.json`);
  }

  /** Path of the file, for display. */
  get path(): string {
    return this.#path;
  }

  /**
   * The stored record; `undefined` when the host did not load the module.
   *
   * @throws {XftraceError} when it is damaged, or somebody else's.
   */
  load(): InstalledText | undefined {
    const text = readHostTextIfThere(this.#path, {
      own: true,
      limit: RECORD_BYTES,
    });
    if (text === undefined) return undefined;
    try {
      return SHAPE.parse(JSON.parse(text));
    } catch {
      throw new XftraceError(
        `${this.#path}, the digest of the module that was installed, is damaged; install the module again, or remove the file`,
      );
    }
  }

  /** Stores the record, readable by its owner alone. */
  save(installed: InstalledText): void {
    const folder = dirname(this.#path);
    makeOwnFolder(folder);
    forgetOld(folder, ".json");
    try {
      replaceHostFile(this.#path, JSON.stringify(installed, null, 2) + "\n");
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }
}

/**
 * The record about the module in a guest; `undefined` when the target is not a
 * running guest, or there is no place to store it.
 *
 * @example
 * ```ts ignore
 * import { open } from "xftrace/live";
 * import { installedTexts } from "xftrace/seal";
 *
 * await using guest = await open("qemu:web1");
 * console.log(installedTexts(guest.session)?.load());
 * ```
 */
export function installedTexts(
  { key, kernel }: {
    readonly key?: string | undefined;
    readonly kernel: Kernel;
  },
): InstalledTexts | undefined {
  const [folder, boot] = [stateFolder("installed"), bootOf({ key, kernel })];
  return folder === undefined || boot === undefined || key === undefined
    ? undefined
    : new InstalledTexts(folder, installedBoot(folder, key, boot, kernel));
}
