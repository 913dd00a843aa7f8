/**
 * The text of a module that the host has loaded itself: its digest is kept on
 * the host from that moment on, so that a change is seen by every later look,
 * whoever looks.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { forgetOld, stateFolder } from "../../base/state_folder.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { bootOf } from "../../session.ts";
import type { ControlPage } from "./control_page.ts";

/** What is kept of a module that was loaded. */
export interface InstalledText {
  readonly format: 1;
  /** When it was loaded, ISO 8601, UTC. */
  readonly since: string;
  /** The random number of this load of the module, in hex. */
  readonly load: string;
  /** SHA-256 of the module's text in guest memory, in hex. */
  readonly text: string;
  /** SHA-256 of the file that was loaded, in hex. */
  readonly file: string;
}

const SHAPE: z.ZodType<InstalledText> = z.strictObject({
  format: z.literal(1),
  since: z.string(),
  load: z.string().regex(/^[0-9a-f]{32}$/),
  text: z.string().regex(/^[0-9a-f]{64}$/),
  file: z.string().regex(/^[0-9a-f]{64}$/),
});

/** SHA-256 of a module's text as it is now, in hex. */
export function textDigest({ kernel, module }: ControlPage): string {
  const { start, end } = module.text;
  return createHash("sha256")
    .update(kernel.space.bytes(start, Number(end - start))).digest("hex");
}

/** The random number of this load of the module, in hex. */
export function loadOf(page: ControlPage): string {
  return new Uint8Array(page.nonce.slice().buffer).toHex();
}

/**
 * What is to be kept of a module that was just loaded.
 *
 * @param file SHA-256 of its file
 */
export function installedText(page: ControlPage, file: string): InstalledText {
  return {
    format: 1,
    since: new Date().toISOString(),
    load: loadOf(page),
    text: textDigest(page),
    file,
  };
}

/**
 * What is wrong with a module that the host has loaded itself; `undefined`
 * when it still is what was loaded.
 *
 * @param digest of its text as it is now
 */
export function changeSince(
  installed: InstalledText,
  page: ControlPage,
  digest: string,
): "loaded again" | "text changed" | undefined {
  if (installed.load !== loadOf(page)) return "loaded again";
  return installed.text === digest ? undefined : "text changed";
}

/** The files in which it is kept: one for each run of each guest. */
export class InstalledTexts {
  readonly #path: string;

  /**
   * @param folder made when something is kept
   * @param boot tells this run of this guest from all others
   */
  constructor(folder: string, boot: string) {
    this.#path = join(folder, `${boot.replace(/[^\w.-]/g, "_")}.json`);
  }

  /** The file, for people. */
  get path(): string {
    return this.#path;
  }

  /**
   * What is kept; `undefined` when the module was not loaded by the host.
   *
   * @throws {XftraceError} when it is damaged.
   */
  load(): InstalledText | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    try {
      return SHAPE.parse(JSON.parse(text));
    } catch {
      throw new XftraceError(
        `${this.#path}, the digest of the module that was installed, is damaged; install the module again, or remove the file`,
      );
    }
  }

  /** Keeps it; only its owner may read it. */
  save(installed: InstalledText): void {
    const folder = dirname(this.#path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    forgetOld(folder, ".json");
    const temporary = `${this.#path}.new`;
    writeFileSync(temporary, JSON.stringify(installed, null, 2) + "\n", {
      mode: 0o600,
    });
    renameSync(temporary, this.#path);
  }
}

/**
 * The file about the module in a guest; `undefined` for what is no running
 * guest, or when there is no place for it.
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
  return folder === undefined || boot === undefined
    ? undefined
    : new InstalledTexts(folder, boot);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
