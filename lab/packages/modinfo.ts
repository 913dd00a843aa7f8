/**
 * Reads the dependencies and aliases of a module file.
 *
 * @module
 */

import { section } from "./elf.ts";

/** What the lab needs to know about a kernel module file. */
export interface ModInfo {
  /** Names of the modules that must be loaded before it, spelt with "_". */
  readonly depends: readonly string[];
  /** Other names under which the kernel may ask for it. */
  readonly aliases: readonly string[];
}

/** Reads the .modinfo section of an (uncompressed) module. */
export function modInfo(elf: Uint8Array): ModInfo {
  const text = new TextDecoder("latin1").decode(section(elf, ".modinfo"));
  const values = (key: string) =>
    text.split("\0").filter((item) => item.startsWith(`${key}=`))
      .map((item) => item.slice(key.length + 1));
  return {
    depends: values("depends").flatMap((list) => list.split(","))
      .filter((name) => name !== "").map(moduleName),
    aliases: values("alias"),
  };
}

/** Spells a module's name with "_", which the kernel treats the same as "-". */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}
