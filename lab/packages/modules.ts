/**
 * Collects the modules that go into a guest, and writes the indices that its
 * modprobe needs.
 *
 * @module
 */

import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { LabError } from "../host/errors.ts";
import { type ModInfo, modInfo, moduleName } from "./modinfo.ts";

/**
 * The modules that go into every guest: those that the lab's channel needs, and
 * some that tests load and unload. Names that the kernel does not have as
 * modules are skipped, since they may be built in.
 */
export const GUEST_MODULES = [
  "virtio_pci",
  "virtio_mmio",
  "virtio_console",
  "loop",
  "ext4",
  "overlay",
  "fuse",
  "dummy",
  "veth",
  "tun",
  "nf_conntrack",
  "nf_tables",
  "iptable_filter",
  "xt_LOG",
  "msr",
  "crc32c_generic",
  "crc32c_intel",
];

/** A module as it goes into the initial file system. */
export interface PackedModule {
  /** Below `lib/modules/RELEASE/`. */
  readonly path: string;
  readonly name: string;
  readonly data: Uint8Array;
  readonly info: ModInfo;
}

/**
 * Collects modules and everything they depend on from a folder that holds a
 * `kernel/` tree. `busybox` unpacks the xz-compressed ones.
 */
export async function collectModules(
  folder: string,
  wanted: readonly string[],
  busybox: string,
): Promise<PackedModule[]> {
  const paths = new Map<string, string>();
  walk(folder, "kernel", paths);
  const packed = new Map<string, PackedModule>();
  const queue = wanted.map(moduleName);
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const path = paths.get(name);
    if (path === undefined || packed.has(name)) continue;
    const data = await plain(`${folder}/${path}`, busybox);
    const info = modInfo(data);
    packed.set(name, {
      path: path.replace(/\.ko\..*$/, ".ko"),
      name,
      data,
      info,
    });
    queue.push(...info.depends);
  }
  return [...packed.values()].sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The text of `modules.dep`: each module and all it needs, nearest first. */
export function modulesDep(modules: readonly PackedModule[]): string {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const needs = (name: string, seen: Set<string>) => {
    for (const dependency of byName.get(name)?.info.depends ?? []) {
      if (seen.has(dependency)) seen.delete(dependency);
      seen.add(dependency);
      needs(dependency, seen);
    }
    return seen;
  };
  return modules.map(({ name, path }) => {
    const paths = [...needs(name, new Set())].flatMap((dependency) =>
      byName.get(dependency)?.path ?? []
    );
    return `${path}:${paths.map((each) => ` ${each}`).join("")}\n`;
  }).join("");
}

/** The text of `modules.alias`. */
export function modulesAlias(modules: readonly PackedModule[]): string {
  return modules.flatMap(({ name, info }) =>
    info.aliases.map((alias) => `alias ${alias} ${name}\n`)
  ).join("");
}

function walk(root: string, below: string, paths: Map<string, string>): void {
  for (const entry of Deno.readDirSync(`${root}/${below}`)) {
    const path = `${below}/${entry.name}`;
    if (entry.isDirectory) walk(root, path, paths);
    const match = entry.name.match(/^(.*)\.ko(\.(xz|zst|gz))?$/);
    if (match) paths.set(moduleName(match[1]), path);
  }
}

async function plain(path: string, busybox: string): Promise<Uint8Array> {
  if (path.endsWith(".xz")) return await unxz(path, busybox);
  const data = Deno.readFileSync(path);
  if (path.endsWith(".zst")) return zstdDecompressSync(data);
  if (path.endsWith(".gz")) return gunzipSync(data);
  return data;
}

async function unxz(path: string, busybox: string): Promise<Uint8Array> {
  const { code, stdout } = await new Deno.Command(busybox, {
    args: ["xzcat", path],
    stdin: "null",
    stderr: "null",
  }).output();
  if (code === 0) return stdout;
  throw new LabError(
    `${path} cannot be unpacked; remove its kernel from the cache and try ` +
      "again",
  );
}
