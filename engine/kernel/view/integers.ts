/**
 * Reads numbers from guest memory according to their C types.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { CType, EnumType, IntType } from "../btf/c_type.ts";
import type { Bits } from "./context.ts";

/**
 * The integer at a GVA: an int, an enum, a pointer, or a bit-field.
 *
 * @throws {KernelError} when the type is not an integer.
 * @throws {MemoryError} when it is not mapped.
 */
export function readInteger(
  space: AddressSpace,
  type: CType,
  gva: bigint,
  bits?: Bits,
): bigint {
  const signed = (type.kind === "int" || type.kind === "enum") && type.signed;
  if (
    type.kind !== "int" && type.kind !== "enum" && type.kind !== "pointer"
  ) {
    throw new KernelError(`${type.name} is no integer`);
  }
  if (bits !== undefined) {
    // Only the bytes that hold the bit-field: the next one may not be mapped.
    const start = Math.floor(bits.first / 8);
    const skipped = bits.first - start * 8;
    const size = Math.ceil((skipped + bits.width) / 8);
    const word = littleEndian(space.bytes(gva + BigInt(start), size));
    const value = word >> BigInt(skipped);
    return signed
      ? BigInt.asIntN(bits.width, value)
      : BigInt.asUintN(bits.width, value);
  }
  switch (type.size) {
    case 1:
    case 2:
    case 4:
    case 8:
    case 16: {
      const value = littleEndian(space.bytes(gva, type.size));
      return signed ? BigInt.asIntN(type.size * 8, value) : value;
    }
    default:
      throw new KernelError(`${type.name} has ${type.size} bytes: no integer`);
  }
}

/** A number for up to 32 bits, a bigint for more, a boolean for `_Bool`. */
export function intValue(
  space: AddressSpace,
  type: IntType,
  gva: bigint,
  bits?: Bits,
): number | bigint | boolean {
  const value = readInteger(space, type, gva, bits);
  if (type.bool) return value !== 0n;
  return isNarrow(type, bits?.width) ? Number(value) : value;
}

/** Whether an integer, or a bit-field of it, fits into 32 bits. */
export function isNarrow(type: IntType, width = type.size * 8): boolean {
  return width <= 32;
}

/** The enumerator's name; the number when the value has no name. */
export function enumValue(
  space: AddressSpace,
  type: EnumType,
  gva: bigint,
  bits?: Bits,
): string | number {
  const value = readInteger(space, type, gva, bits);
  return type.names.get(value) ?? Number(value);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
}
