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
  throw new KernelError(
    `this kernel's BTF has no type ${name}: types are written as in C, such as "task_struct", "unsigned long" or "struct page *"`,
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
