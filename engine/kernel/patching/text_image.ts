/**
 * Copies parts of the kernel image.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** A copied part of the image. */
export interface ImageBytes {
  /** GVA of the first byte. */
  readonly start: bigint;
  readonly end: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Copies the image between two symbols. 20 MiB take some 10 ms.
 *
 * @throws {KernelError} when a symbol is missing.
 * @throws {MemoryError} when a byte of it cannot be read.
 */
export function readImage(
  kernel: Kernel,
  from: string,
  to: string,
): ImageBytes {
  const start = kernel.symbols.address(from);
  const end = kernel.symbols.address(to);
  return { start, end, bytes: kernel.space.bytes(start, Number(end - start)) };
}
