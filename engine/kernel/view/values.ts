/**
 * Converts a C type at an address to the value that a script works with.
 *
 * @module
 */
import type { ArrayType, CType } from "../btf/c_type.ts";
import type { Kernel } from "../core/kernel.ts";
import { arrayObject } from "./array_object.ts";
import type { Bits, Values } from "./context.ts";
import { enumValue, intValue, readInteger } from "./integers.ts";
import type { KernelValue } from "./object_types.ts";
import { PointerObject } from "./pointer_object.ts";
import { structObject } from "./struct_object.ts";

/** Byte arrays larger than this are read element by element. */
const MOST_BYTES = 1 << 20;

/** Creates the values in one kernel's memory. */
export class KernelValues implements Values {
  readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /**
   * The value of a type at a GVA.
   *
   * @throws {MemoryError} when the value is not mapped. Numbers, text and
   * pointers are read at once; structs and arrays only when they are accessed
   * further.
   */
  at(type: CType, gva: bigint, bits?: Bits): KernelValue {
    const { space } = this.kernel;
    switch (type.kind) {
      case "int":
        return intValue(space, type, gva, bits);
      case "enum":
        return enumValue(space, type, gva, bits);
      case "float": {
        const view = new DataView(space.bytes(gva, type.size).buffer);
        return type.size === 4
          ? view.getFloat32(0, true)
          : view.getFloat64(0, true);
      }
      case "pointer":
        return this.#pointed(type.target, readInteger(space, type, gva));
      case "array":
        return this.#array(type, gva);
      case "struct":
        return structObject(this, type, gva);
      case "void":
      case "function":
      case "forward":
        // There is nothing to read, but it has an address.
        return new PointerObject(this, type, gva);
    }
  }

  /**
   * The value of a pointer: the struct that it points to, or the pointer
   * itself.
   */
  #pointed(target: CType, address: bigint): KernelValue {
    if (address === 0n) return null;
    return target.kind === "struct"
      ? structObject(this, target, address)
      : new PointerObject(this, target, address);
  }

  #array(type: ArrayType, gva: bigint): KernelValue {
    const { space } = this.kernel;
    const { element, length } = type;
    if (element.kind === "int" && length > 0 && length <= MOST_BYTES) {
      if (element.char) return space.string(gva, length);
      if (element.size === 1 && !element.signed && !element.bool) {
        return space.bytes(gva, length);
      }
    }
    return arrayObject(this, type, gva);
  }
}
