/**
 * Refuses writes to memory that was opened read-only, or that can never be
 * written.
 *
 * @module
 */
import { MemoryError, XftraceError } from "../base/errors.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/**
 * Throws unless this memory accepts the write.
 *
 * @param width bytes of a word that must be aligned
 * @throws {MemoryError} when the memory is read-only, or the word is not
 * aligned.
 */
export function guardWrite(
  { name, writable }: Pick<PhysicalMemory, "name" | "writable">,
  gpa: number,
  width = 1,
): void {
  if (!writable) throw new MemoryError(name, gpa, "opened read-only");
  if (gpa % width !== 0) {
    throw new MemoryError(name, gpa, `not aligned to ${width} bytes`);
  }
}

/** Memory that never changes and cannot be written. */
export abstract class ReadOnlyMemory {
  /** See {@linkcode PhysicalMemory.name}. */
  abstract readonly name: string;
  /**
   * The kind of memory, for the message to a caller who wants to write:
   * `a core`.
   */
  protected abstract readonly kind: string;
  readonly writable = false;
  readonly live = false;

  /** Refuses. @throws {XftraceError} always. */
  makeWritable(): void {
    throw new XftraceError(`${this.name}: ${this.kind} cannot be written`);
  }

  /** Refuses. @throws {MemoryError} always. */
  write(gpa: number, _bytes: Uint8Array): void {
    throw this.#refused(gpa);
  }

  /** Refuses. @throws {MemoryError} always. */
  compareExchange(gpa: number): bigint {
    throw this.#refused(gpa);
  }

  #refused(gpa: number): MemoryError {
    return new MemoryError(this.name, gpa, `${this.kind} cannot be written`);
  }
}
