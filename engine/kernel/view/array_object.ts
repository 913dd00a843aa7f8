/**
 * Arrays of the guest: elements are read when they are asked for.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { ArrayType } from "../btf/c_type.ts";
import { symbolAt, typeNamed, type Values } from "./context.ts";
import { inspectArray, jsonOf } from "./inspect.ts";
import type { KernelArray, KernelValue } from "./object_types.ts";
import { elementPlace } from "./places.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** An array's functions; its elements are added by the proxy around it. */
class ArrayTarget {
  readonly #values: Values;
  readonly #type: ArrayType;
  readonly #gva: bigint;

  constructor(values: Values, type: ArrayType, gva: bigint) {
    this.#values = values;
    this.#type = type;
    this.#gva = gva;
    // Called with the proxy as `this`, which has no private fields.
    Object.defineProperty(this, INSPECT, {
      configurable: true,
      value: () => inspectArray(values, type, gva),
    });
  }

  get length(): number {
    return this.#type.length;
  }

  get $address(): bigint {
    return this.#gva;
  }

  get $type(): string {
    return this.#type.name;
  }

  get $symbol(): string | undefined {
    return symbolAt(this.#values.kernel, this.#gva);
  }

  /** The element at an index within the array, or of a flexible one. */
  element(index: number): KernelValue {
    const { length, name } = this.#type;
    if (length !== 0 && index >= length) {
      throw new KernelError(
        `${name} has no element ${index}: $element(${index}) reads beyond its end`,
      );
    }
    return this.$element(index);
  }

  $element(index: number): KernelValue {
    const { type, gva } = elementPlace(this.#type.element, this.#gva, index);
    return this.#values.at(type, gva);
  }

  $cast(type: string): KernelValue {
    return this.#values.at(typeNamed(this.#values.kernel, type), this.#gva);
  }

  $bytes(length = this.#type.size): Uint8Array<ArrayBuffer> {
    return this.#values.kernel.space.bytes(this.#gva, length);
  }

  $string(limit?: number): string {
    return this.#values.kernel.space.string(this.#gva, limit);
  }

  *[Symbol.iterator](): Generator<KernelValue> {
    for (let i = 0; i < this.#type.length; i++) yield this.$element(i);
  }

  /** For `JSON.stringify`. */
  toJSON(): unknown {
    return jsonOf(this.#values, { type: this.#type, gva: this.#gva });
  }
}

const INDEX = /^\d+$/;

const HANDLER: ProxyHandler<ArrayTarget> = {
  get(target, key) {
    if (typeof key === "string" && INDEX.test(key)) {
      return target.element(Number(key));
    }
    const value: unknown = Reflect.get(target, key, target);
    return typeof value === "function" ? value.bind(target) : value;
  },
  set(target, key) {
    throw new KernelError(
      `${target.$type}[${String(key)}] cannot be set: objects are read alone`,
    );
  },
};

/** The array at a GVA, as an object. */
export function arrayObject(
  values: Values,
  type: ArrayType,
  gva: bigint,
): KernelArray<unknown> {
  const target: unknown = new Proxy(
    new ArrayTarget(values, type, gva),
    HANDLER,
  );
  // The handler gives what the interface says.
  return target as KernelArray<unknown>;
}
