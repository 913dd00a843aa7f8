/**
 * The BTF of modules in guest memory (kernel/bpf/btf.c, btf_modules).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Functions } from "../btf/types.ts";
import type { Kernel } from "./kernel.ts";
import { variable } from "../symbols/required.ts";
import { listFrom } from "./object.ts";

/** More modules than any kernel has loaded. */
const MOST_MODULES = 4096;
/** More than any module has; bytes. */
const MOST_BTF = 8 << 20;

/**
 * The functions of each loaded module that has BTF, in the order in which the
 * kernel looks for a name (bpf_find_btf_id: by the id of the BTF). Empty when
 * the kernel keeps none.
 *
 * @throws {KernelError} when a module's is damaged, or not of a known form, or
 * the list is not where it is known to be.
 * @throws {MemoryError} when it cannot be read.
 */
export function moduleFunctions(
  kernel: Pick<Kernel, "symbols" | "types" | "space">,
): Functions[] {
  const { symbols, types, space } = kernel;
  // Without CONFIG_DEBUG_INFO_BTF_MODULES there is no list (nor before 5.11,
  // 36e68442d1af).
  const head = variable(symbols, "btf_modules", [
    "btf_module_mutex",
    "btf_module_notify",
  ]);
  if (head === undefined) return [];
  const found: { id: number; functions: Functions }[] = [];
  for (
    const each of listFrom(kernel, head, "btf_module", "list", MOST_MODULES)
  ) {
    const btf = each.follow("btf", "btf");
    if (btf === undefined) continue;
    // A module built apart has a base of its own (6.11), which is not read.
    if (btf.has("base_id_map") && btf.u64("base_id_map") !== 0n) continue;
    const size = btf.number("data_size");
    if (size > MOST_BTF) {
      throw new KernelError(
        `a module's BTF would have ${size} bytes, more than any module's`,
      );
    }
    found.push({
      id: btf.number("id"),
      functions: types.moduleFunctions(space.bytes(btf.u64("data"), size)),
    });
  }
  return found.sort((a, b) => a.id - b.id).map(({ functions }) => functions);
}
