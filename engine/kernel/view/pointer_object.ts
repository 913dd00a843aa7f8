/**
 * Pointers to something other than a struct: functions, numbers, other
 * pointers.
 *
 * @module
 */
import type { CType } from "../btf/c_type.ts";
import { pointerTo } from "../btf/c_type.ts";
import {
  checkedLength,
  perCpuAddress,
  symbolAt,
  TEXT_BYTES,
  typeNamed,
  type Values,
} from "./context.ts";
import { inspectPointer } from "./inspect.ts";
import type { KernelPointer, KernelValue, ObjectOf } from "./object_types.ts";
import { elementPlace } from "./places.ts";

/** A pointer that is not NULL. */
export class PointerObject implements KernelPointer<unknown> {
  readonly #values: Values;
  readonly #target: CType;
  readonly $address: bigint;

  constructor(values: Values, target: CType, address: bigint) {
    this.#values = values;
    this.#target = target;
    this.$address = address;
  }

  get $type(): string {
    return pointerTo(this.#target).name;
  }

  get $symbol(): string | undefined {
    return symbolAt(this.#values.kernel, this.$address);
  }

  get $target(): KernelValue {
    return this.#values.at(this.#target, this.$address);
  }

  /** See {@linkcode KernelPointer.$element}. */
  $element(index: number): KernelValue {
    const { type, gva } = elementPlace(this.#target, this.$address, index);
    return this.#values.at(type, gva);
  }

  /** See {@linkcode KernelPointer.$perCpu}. */
  $perCpu(cpu: number): PointerObject {
    return new PointerObject(
      this.#values,
      this.#target,
      perCpuAddress(this.#values.kernel, this.$address, cpu),
    );
  }

  /** See {@linkcode KernelPointer.$cast}. */
  $cast<T extends string>(type: T): ObjectOf<T> {
    const named = typeNamed(this.#values.kernel, type);
    // The name determines the type of the value.
    return this.#values.at(named, this.$address) as ObjectOf<T>;
  }

  /** See {@linkcode KernelPointer.$bytes}. */
  $bytes(length: number = this.#target.size): Uint8Array<ArrayBuffer> {
    return this.#values.kernel.space.bytes(
      this.$address,
      checkedLength(length),
    );
  }

  /** See {@linkcode KernelPointer.$string}. */
  $string(limit = TEXT_BYTES): string {
    return this.#values.kernel.space.string(
      this.$address,
      checkedLength(limit),
    );
  }

  /** Supports `JSON.stringify`. */
  toJSON(): string {
    return `0x${this.$address.toString(16)}`;
  }

  /** Supports `console.log`. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return inspectPointer(this.#values, this.#target, this.$address);
  }
}
