/**
 * The common base of the objects that represent guest memory: creates a value
 * from a type and an address.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { CType } from "../btf/c_type.ts";
import type { Kernel } from "../core/kernel.ts";
import type { KernelValue } from "./object_types.ts";

/** The position of a bit-field. */
export interface Bits {
  /** First bit, from the start of the byte at the address. */
  readonly first: number;
  readonly width: number;
}

/** The name in a type's notation. */
const TYPE_NAME = /^(?:(?:const|volatile|struct|union|enum) +)*(\w+)[ *]*$/;
/** The most bytes of a text that are read unless more are asked for. */
export const TEXT_BYTES = 256;
/** The most bytes that are read at once. */
const MOST_BYTES = 2 ** 30;

/** Creates values, for the objects that contain them. */
export interface Values {
  readonly kernel: Kernel;
  /** The value of a type at a GVA. */
  at(type: CType, gva: bigint, bits?: Bits): KernelValue;
}

/**
 * The type with this name in C notation.
 *
 * @throws {KernelError} when this kernel has no such type.
 */
export function typeNamed(kernel: Kernel, name: string): CType {
  const type = kernel.types.tryType(name);
  if (type !== undefined) return type;
  const plain = TYPE_NAME.exec(name)?.[1] ?? "";
  const near = plain === "" ? [] : kernel.types.nearTypes(plain);
  throw new KernelError(
    `this kernel's BTF has no type ${name}${
      near.length === 0 ? "" : ` (near: ${near.join(", ")})`
    }: types are written as in C, such as "task_struct", "unsigned long" or "struct page *"`,
  );
}

/**
 * A number of bytes to be read, as a script gives it: it may come from the
 * guest's memory.
 *
 * @throws {KernelError} when it is no length, or more than 1 GiB.
 */
export function checkedLength(length: number): number {
  if (Number.isInteger(length) && length >= 0 && length <= MOST_BYTES) {
    return length;
  }
  throw new KernelError(
    `${length} is not a number of bytes that can be read at once: 0 to ${MOST_BYTES} is`,
  );
}

/** GVA of one CPU's instance of the object at a per-CPU address. */
export function perCpuAddress(
  kernel: Kernel,
  address: bigint,
  cpu: number,
): bigint {
  const offset = kernel.perCpuOffsets[cpu];
  if (offset === undefined) {
    throw new KernelError(
      `the guest has no CPU ${cpu}: it has ${kernel.perCpuOffsets.length}, from 0 on`,
    );
  }
  return BigInt.asUintN(64, address + offset);
}

/** The name of the symbol that starts exactly at a GVA. */
export function symbolAt(kernel: Kernel, gva: bigint): string | undefined {
  const found = kernel.symbols.lookup(gva);
  return found === undefined || found.offset !== 0 ? undefined : found.name;
}
