/**
 * The guest's own map of its physical address space: the resource tree that
 * `/proc/iomem` shows (kernel/resource.c).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { GpaRange } from "../../memory/physical_memory.ts";
import type { ResourceRange } from "../../memory/ram_layout.ts";
import type { Kernel } from "../core/kernel.ts";
import type { KernelObject } from "../core/object.ts";

const MAX_RESOURCES = 4096;
/**
 * How deep RAM lies in the tree at most: that of a virtio-mem device is a child
 * of the device.
 */
const MAX_DEPTH = 2;
/**
 * Memory that a driver has added has the driver's name as well
 * (drivers/virtio/virtio_mem.c). What `kmem` adds lies on storage devices, which
 * are not read.
 */
const RAM_NAME = /^System RAM(?: \(virtio_mem\))?$/;

/**
 * The ranges that the guest treats as RAM, at any depth of the resource tree, in
 * bytes.
 *
 * @throws {KernelError} when the tree does not end.
 */
export function systemRam(kernel: Kernel): ResourceRange[] {
  const found: ResourceRange[] = [];
  let seen = 0;
  const look = (
    first: KernelObject | undefined,
    depth: number,
    within?: GpaRange,
  ) => {
    for (
      let at = first;
      at !== undefined;
      at = at.follow("sibling", "resource")
    ) {
      if (++seen > MAX_RESOURCES) {
        throw new KernelError(
          `the guest's resource tree does not end within ${MAX_RESOURCES} entries`,
        );
      }
      const name = at.stringAt("name") ?? "";
      const range = {
        start: Number(at.u64("start")),
        // The kernel's range ends are inclusive.
        end: Number(at.u64("end")) + 1,
      };
      if (RAM_NAME.test(name)) {
        found.push({
          ...range,
          name,
          ...(within === undefined ? {} : { within }),
        });
      } else if (depth < MAX_DEPTH) {
        look(at.follow("child", "resource"), depth + 1, range);
      }
    }
  };
  look(
    kernel.global("iomem_resource", "resource").follow("child", "resource"),
    1,
  );
  return found;
}
