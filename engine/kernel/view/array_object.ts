/**
 * Arrays in guest memory; each element is read when it is accessed.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { ArrayType } from "../btf/c_type.ts";
import {
  checkedLength,
  symbolAt,
  TEXT_BYTES,
  typeNamed,
  type Values,
} from "./context.ts";
import { inspectArray, jsonOf } from "./inspect.ts";
import type { KernelArray, KernelValue } from "./object_types.ts";
import { elementPlace } from "./places.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The methods of an array object; a proxy around it adds the elements. */
class ArrayTarget {
  readonly #values: Values;
  readonly #type: ArrayType;
  readonly #gva: bigint;

  constructor(values: Values, type: ArrayType, gva: bigint) {
    this.#values = values;
    this.#type = type;
    this.#gva = gva;
    // It is called with the proxy as `this`, which has no private fields.
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

  /**
   * The element at an index; the index is checked unless the array is flexible.
   */
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
    return this.#values.kernel.space.bytes(this.#gva, checkedLength(length));
  }

  $string(limit = TEXT_BYTES): string {
    return this.#values.kernel.space.string(this.#gva, checkedLength(limit));
  }

  *[Symbol.iterator](): Generator<KernelValue> {
    for (let i = 0; i < this.#type.length; i++) yield this.$element(i);
  }

  /** Supports `JSON.stringify`. */
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

/** Creates the object for the array at a GVA. */
export function arrayObject(
  values: Values,
  type: ArrayType,
  gva: bigint,
): KernelArray<unknown> {
  const target: unknown = new Proxy(
    new ArrayTarget(values, type, gva),
    HANDLER,
  );
  // The proxy's handler provides what the interface promises.
  return target as KernelArray<unknown>;
}
