/**
 * Reads what a module's file states about itself: its name, its version, and
 * the kernel for which it was built.
 *
 * Source: include/linux/vermagic.h; scripts/sign-file.c of the kernel.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  readRelocatable,
  type Relocatable,
} from "../detect/text/relocatable.ts";
import { XftraceError } from "../base/errors.ts";

const SIGNED = new TextEncoder().encode("~Module signature appended~\n");

/** A module's file. */
export interface ModuleFile {
  /** Where the file came from, for messages. */
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly name: string;
  /** MODULE_VERSION; empty if there is none. */
  readonly version: string;
  /**
   * The release of the kernel for which it was built, as printed by `uname -r`.
   */
  readonly release: string;
  /** Whether a signature is appended; only the guest can judge whose it is. */
  readonly signed: boolean;
  readonly object: Relocatable;
}

/**
 * Reads a module's file.
 *
 * @throws {XftraceError} when the bytes are not a module.
 *
 * @example
 * ```ts ignore
 * import { readModuleFile } from "xftrace/install";
 *
 * const file = readModuleFile("xftrace.ko", Deno.readFileSync("xftrace.ko"));
 * console.log(file.name, file.release, file.sha256);
 * ```
 */
export function readModuleFile(source: string, bytes: Uint8Array): ModuleFile {
  const object = readRelocatable(source, bytes);
  const section = object.sections.find(({ name }) => name === ".modinfo");
  const texts = new TextDecoder("latin1").decode(section?.bytes).split("\0");
  const value = (key: string) =>
    texts.find((text) => text.startsWith(`${key}=`))?.slice(key.length + 1) ??
      "";
  const release = value("vermagic").split(" ")[0];
  if (release === "") {
    throw new XftraceError(
      `${source} does not state its kernel; give a module's file such as xftrace.ko`,
    );
  }
  return {
    source,
    bytes,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    name: value("name"),
    version: value("version"),
    release,
    signed: endsWith(bytes, SIGNED),
    object,
  };
}

function endsWith(bytes: Uint8Array, end: Uint8Array): boolean {
  const from = bytes.length - end.length;
  return from >= 0 && end.every((byte, i) => bytes[from + i] === byte);
}
