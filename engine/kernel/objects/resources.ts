/**
 * The guest's own map of its physical address space: the resource tree that
 * `/proc/iomem` shows (kernel/resource.c).
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
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

/** The RAM in a resource tree, as far as the tree can be read. */
export interface ReadableRam {
  /** What is found before the part that is missing, in bytes. */
  readonly ram: readonly ResourceRange[];
  /** Why the rest cannot be read; `undefined` when all was read. */
  readonly missing?: MemoryError;
}

/**
 * The ranges that the guest treats as RAM, at any depth of the resource tree. The
 * tree itself may lie in memory that was plugged in, and whose place it tells.
 *
 * @throws {KernelError} when the tree does not end.
 */
export function readableRam(kernel: Kernel): ReadableRam {
  const ram: ResourceRange[] = [];
  try {
    collectRam(kernel, ram);
    return { ram };
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return { ram, missing: error };
  }
}

/**
 * Like {@linkcode readableRam}, but all of it.
 *
 * @throws {KernelError | MemoryError} when it cannot be read.
 */
export function systemRam(kernel: Kernel): readonly ResourceRange[] {
  const { ram, missing } = readableRam(kernel);
  if (missing !== undefined) throw missing;
  return ram;
}

function collectRam(kernel: Kernel, found: ResourceRange[]): void {
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
}
