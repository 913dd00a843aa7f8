/**
 * Reads what a module file says of itself: its dependencies and aliases.
 *
 * @module
 */

import { section } from "./elf.ts";

/** What the lab needs to know of a kernel module file. */
export interface ModInfo {
  /** Names of the modules it needs loaded before it, spelt with "_". */
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

/** The kernel takes "-" and "_" in a module's name for the same. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}
