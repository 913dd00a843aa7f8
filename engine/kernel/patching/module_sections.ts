/**
 * Where the sections of a module were loaded, by what the kernel keeps for
 * sysfs.
 *
 * Source: kernel/module/sysfs.c (add_sect_attrs).
 *
 * @module
 */
import { allocateList } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";

/** Sections that a module has at most. */
const MOST_SECTIONS = 4096;
/** The longest name of a section that is read. */
const MOST_NAME = 64;

/** One section of a module. */
export interface ModuleSection {
  readonly name: string;
  /** GVA of its first byte. */
  readonly address: bigint;
}

/**
 * Whether the kernel keeps where sections lie: not without CONFIG_SYSFS and
 * CONFIG_KALLSYMS.
 */
export function keepsSections({ types }: Kernel): boolean {
  return types.tryOffset("module", "sect_attrs") !== undefined;
}

/**
 * Names and GVAs of a module's sections, in file order.
 *
 * @throws {KernelError} when they are not kept, not in a known way, or damaged.
 */
export function moduleSections(
  kernel: Kernel,
  module: bigint,
): ModuleSection[] {
  const { types } = kernel;
  if (!keepsSections(kernel)) {
    throw new KernelError(
      "this kernel does not keep where the sections of its modules lie",
    );
  }
  const attrs = kernel.object("module", module)
    .follow("sect_attrs", "module_sect_attrs");
  if (attrs === undefined) {
    throw new KernelError("the module shows no sections (sect_attrs is NULL)");
  }
  const name = types.tryOffset("module_sect_attr", "battr.attr.name");
  const address = types.tryOffset("module_sect_attr", "address");
  const { space } = kernel;
  const section = (nameAt: bigint, addressAt: bigint): ModuleSection => ({
    name: space.string(space.u64(nameAt), MOST_NAME),
    address: space.u64(addressAt),
  });
  if (name !== undefined && address !== undefined && attrs.has("nsections")) {
    const count = attrs.number("nsections");
    const first = attrs.at("attrs");
    const step = BigInt(types.struct("module_sect_attr").size);
    return allocateList(count, MOST_SECTIONS, "it", (i) => {
      const at = first + BigInt(i) * step;
      return section(at + BigInt(name), at + BigInt(address));
    }, { error: () => new KernelError(`it claims ${count} sections`) });
  }
  // Since Linux 6.14 each is a binary attribute, and a list of pointers that
  // ends with NULL tells how many there are.
  const list = types.tryOffset("module_sect_attrs", "grp.bin_attrs");
  const named = types.tryOffset("bin_attribute", "attr.name");
  const value = types.tryOffset("bin_attribute", "private");
  if (list === undefined || named === undefined || value === undefined) {
    throw new KernelError(
      "this kernel keeps where the sections of its modules lie, but in a way that xftrace does not know: struct module_sect_attrs has neither nsections nor grp.bin_attrs",
    );
  }
  const pointers = space.u64(attrs.gva + BigInt(list));
  const found: ModuleSection[] = [];
  for (;;) {
    const at = space.u64(pointers + BigInt(8 * found.length));
    if (at === 0n) return found;
    if (found.length === MOST_SECTIONS) {
      throw new KernelError(`it claims more than ${MOST_SECTIONS} sections`);
    }
    found.push(section(at + BigInt(named), at + BigInt(value)));
  }
}
