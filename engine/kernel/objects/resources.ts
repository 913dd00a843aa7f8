/**
 * The guest's own map of its physical address space: the resource tree that
 * `/proc/iomem` shows (kernel/resource.c).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { ResourceRange } from "../../memory/ram_layout.ts";
import type { Kernel } from "../core/kernel.ts";

const MAX_RESOURCES = 4096;

/**
 * The top level of the resource tree: named ranges of GPAs, in bytes.
 *
 * @throws {KernelError} when the list of siblings does not end.
 */
export function topResources(kernel: Kernel): ResourceRange[] {
  const found: ResourceRange[] = [];
  let at = kernel.global("iomem_resource", "resource")
    .follow("child", "resource");
  while (at !== undefined) {
    if (found.length >= MAX_RESOURCES) {
      throw new KernelError(
        `the guest's resource tree does not end within ${MAX_RESOURCES} entries`,
      );
    }
    found.push({
      start: Number(at.u64("start")),
      // The kernel's range ends are inclusive.
      end: Number(at.u64("end")) + 1,
      name: at.stringAt("name") ?? "",
    });
    at = at.follow("sibling", "resource");
  }
  return found;
}

/**
 * The ranges that the guest treats as RAM. Throws like
 * {@linkcode topResources}.
 */
export function systemRam(kernel: Kernel): ResourceRange[] {
  return topResources(kernel).filter(({ name }) => name === "System RAM");
}
