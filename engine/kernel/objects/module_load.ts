/**
 * How a module was loaded: the addresses of its sections, a number that
 * identifies the load, and its BUILD-ID.
 *
 * Source: kernel/module/sysfs.c, include/linux/module.h, fs/kernfs/dir.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hexDigits } from "../../base/hex.ts";
import type { Kernel } from "../core/kernel.ts";

/** More sections than any module has. */
const MOST = 4096;

/** Names and GVAs of a module's sections, in file order. */
export function moduleSections(
  kernel: Kernel,
  module: bigint,
): { name: string; address: bigint }[] {
  const { types } = kernel;
  const name = types.tryOffset("module_sect_attr", "battr.attr.name");
  const address = types.tryOffset("module_sect_attr", "address");
  if (name === undefined || address === undefined) {
    throw new KernelError(
      "this kernel does not keep where the sections of its modules lie",
    );
  }
  const attrs = kernel.object("module", module)
    .follow("sect_attrs", "module_sect_attrs");
  if (attrs === undefined) {
    throw new KernelError("the module shows no sections (sect_attrs is NULL)");
  }
  const count = attrs.number("nsections");
  if (count > MOST) throw new KernelError(`it claims ${count} sections`);
  const first = attrs.at("attrs");
  const step = BigInt(types.struct("module_sect_attr").size);
  return Array.from({ length: count }, (_, i) => {
    const at = first + BigInt(i) * step;
    return {
      name: kernel.space.string(kernel.space.u64(at + BigInt(name)), 64),
      address: kernel.space.u64(at + BigInt(address)),
    };
  });
}

/**
 * A number that no other load of a module has had since boot: the id of its
 * sysfs folder's kernfs node; `undefined` when it has no folder.
 */
export function loadNumber(kernel: Kernel, module: bigint): bigint | undefined {
  const node = kernel.object("module", module)
    .follow("mkobj.kobj.sd", "kernfs_node");
  return node === undefined || !node.has("id") ? undefined : node.u64("id");
}

/** The module's BUILD-ID in hex, if the kernel keeps it. */
export function moduleBuildId(
  kernel: Kernel,
  module: bigint,
): string | undefined {
  const at = kernel.types.tryOffset("module", "build_id");
  if (at === undefined) return undefined;
  const id = kernel.space.bytes(module + BigInt(at), 20);
  return id.some((byte) => byte !== 0) ? hexDigits(id) : undefined;
}
