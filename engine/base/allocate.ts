/**
 * Memory for what a guest or a file says has a certain size: a count in a
 * header, the length of a file, the size of a struct. Every such size passes
 * through here, with the most that makes sense, so that none can make this
 * process take memory without end. `scripts/dev/allocations.ts` makes sure that
 * nothing is allocated past it.
 *
 * @module
 */
import type { Budget } from "./budget.ts";
import { KernelError, type XftraceError } from "./errors.ts";

/** What is done besides comparing a size with its limit. */
export interface AllocateOptions {
  /** Makes the error for a wrong size; default: a {@linkcode KernelError}. */
  readonly error?: (message: string) => XftraceError;
  /**
   * The running budget, from which bytes are taken, or nodes for a list. Not
   * needed for what is then read through an address space, which takes the
   * bytes itself.
   */
  readonly budget?: Budget;
}

/** What has a size: its name, or its GVA. */
export type Sized = string | bigint;

/** A kind of typed array. */
export interface WordArray<A> {
  /** Bytes of a word. */
  readonly BYTES_PER_ELEMENT: number;
  /** Makes an array of so many words, all zero. */
  new (length: number): A;
}

/**
 * A number that a guest or a file gives, if it is a whole one from 0 to `most`.
 *
 * @param most the kernel's or the format's own limit, if there is one
 * @param unit what is counted: `bytes`, `entries`
 * @throws {KernelError} or what `options` say, when it is none.
 *
 * @example
 * ```ts
 * import { KernelError, wholeSize } from "xftrace";
 *
 * console.log(wholeSize(12, 8192, "the list of CPUs", "entries")); // 12
 * try {
 *   wholeSize(2 ** 31, 8192, "the list of CPUs", "entries");
 * } catch (error) {
 *   console.log(error instanceof KernelError); // true
 * }
 * ```
 */
export function wholeSize(
  size: number,
  most: number,
  what: Sized,
  unit: string,
  error: (message: string) => XftraceError = kernelError,
): number {
  if (size >= 0 && size <= most && Number.isInteger(size)) return size;
  throw error(
    `${named(what)} claims to have ${size} ${unit}, and ${
      most.toLocaleString("en-US")
    } are the most that make sense: it is damaged`,
  );
}

/**
 * Bytes, all zero, as many as a guest or a file says.
 *
 * @param most the kernel's or the format's own limit, if there is one
 * @throws {KernelError} or what `options` say, when `size` is no whole number
 * from 0 to `most`.
 * @throws {BudgetError} when the budget of `options` is used up.
 *
 * @example
 * ```ts
 * import { allocateBytes, XftraceError } from "xftrace";
 *
 * const claimed = 2 ** 40;
 * try {
 *   allocateBytes(claimed, 1 << 20, "the table of symbols", {
 *     error: (message) => new XftraceError(message),
 *   });
 * } catch (error) {
 *   if (!(error instanceof XftraceError)) throw error;
 *   console.log(error.message); // the table of symbols claims to have ...
 * }
 * ```
 */
export function allocateBytes(
  size: number,
  most: number,
  what: Sized,
  options?: AllocateOptions,
): Uint8Array<ArrayBuffer> {
  wholeSize(size, most, what, "bytes", options?.error);
  options?.budget?.hold(what, size);
  return new Uint8Array(size);
}

/**
 * Words of a typed array, all zero, as many as a guest or a file says.
 *
 * @param type the kind of array: `Uint32Array`
 * @param count how many words
 * @param most the kernel's or the format's own limit of words
 * @throws like {@linkcode allocateBytes}.
 *
 * @example
 * ```ts
 * import { allocateWords } from "xftrace";
 *
 * const offsets = allocateWords(Uint32Array, 3, 1 << 20, "the offsets");
 * console.log(offsets.byteLength); // 12
 * ```
 */
export function allocateWords<A>(
  type: WordArray<A>,
  count: number,
  most: number,
  what: Sized,
  options?: AllocateOptions,
): A {
  wholeSize(count, most, what, "entries", options?.error);
  options?.budget?.hold(what, count * type.BYTES_PER_ELEMENT);
  return new type(count);
}

/**
 * A list of as many things as a guest or a file says. Each takes some hundred
 * bytes, so `most` should be far smaller than for words.
 *
 * @param make makes the thing with that index
 * @throws like {@linkcode allocateBytes}, and whatever `make` throws.
 *
 * @example
 * ```ts
 * import { allocateList } from "xftrace";
 *
 * console.log(allocateList(3, 8192, "the list of CPUs", (cpu) => cpu)); // [ 0, 1, 2 ]
 * ```
 */
export function allocateList<T>(
  count: number,
  most: number,
  what: Sized,
  make: (index: number) => T,
  options?: AllocateOptions,
): T[] {
  wholeSize(count, most, what, "entries", options?.error);
  options?.budget?.node(what, count);
  return Array.from({ length: count }, (_, index) => make(index));
}

function kernelError(message: string): XftraceError {
  return new KernelError(message);
}

function named(what: Sized): string {
  return typeof what === "bigint"
    ? `what lies at 0x${what.toString(16)}`
    : what;
}
