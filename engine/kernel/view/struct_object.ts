/**
 * Structs and unions in guest memory as objects whose properties are the
 * members.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { StructType } from "../btf/c_type.ts";
import {
  checkedLength,
  perCpuAddress,
  symbolAt,
  TEXT_BYTES,
  typeNamed,
  type Values,
} from "./context.ts";
import { inspectStruct, jsonOf } from "./inspect.ts";
import { readInteger } from "./integers.ts";
import type {
  AnyStruct,
  IndexedEntry,
  KernelValue,
  RangeEntry,
  WalkLimit,
} from "./object_types.ts";
import {
  absentMember,
  elementPlace,
  findPlace,
  followPath,
  memberPlace,
  type Place,
} from "./places.ts";
import { linkedObjects, mapleObjects, xarrayObjects } from "./walks.ts";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The methods of a struct object; a proxy around it adds the members. */
class StructTarget {
  readonly #values: Values;
  readonly #type: StructType;
  readonly #gva: bigint;

  constructor(values: Values, type: StructType, gva: bigint) {
    this.#values = values;
    this.#type = type;
    this.#gva = gva;
    // It is called with the proxy as `this`, which has no private fields.
    Object.defineProperty(this, INSPECT, {
      configurable: true,
      value: () => inspectStruct(values, type, gva),
    });
  }

  get $address(): bigint {
    return this.#gva;
  }

  get $type(): string {
    return this.#type.name;
  }

  get $size(): number {
    return this.#type.size;
  }

  get $symbol(): string | undefined {
    return symbolAt(this.#values.kernel, this.#gva);
  }

  /** Names of the members. */
  get names(): Iterable<string> {
    return this.#type.layout.members.keys();
  }

  hasMember(name: string): boolean {
    return this.#type.layout.members.has(name);
  }

  /** A member's value. */
  member(name: string): KernelValue {
    const member = this.#type.layout.members.get(name);
    if (member === undefined) throw absentMember(this.#type, name);
    return this.#value(memberPlace(this.#values.kernel, this.#gva, member));
  }

  $has(path: string): boolean {
    try {
      this.#find(path);
      return true;
    } catch (error) {
      if (error instanceof KernelError) return false;
      throw error;
    }
  }

  $member(path: string): KernelValue {
    const from = { type: this.#type, gva: this.#gva };
    const place = followPath(this.#values.kernel, from, path);
    return place === undefined ? null : this.#value(place);
  }

  $addressOf(path: string): bigint {
    const { gva, bits } = this.#find(path);
    return bits === undefined ? gva : gva + BigInt(Math.floor(bits.first / 8));
  }

  $typeOf(path: string): string {
    return this.#find(path).type.name;
  }

  $integer(path: string): bigint {
    const { type, gva, bits } = this.#find(path);
    return readInteger(this.#values.kernel.space, type, gva, bits);
  }

  $element(index: number): KernelValue {
    return this.#value(elementPlace(this.#type, this.#gva, index));
  }

  $perCpu(cpu: number): KernelValue {
    const { kernel } = this.#values;
    return this.#values.at(this.#type, perCpuAddress(kernel, this.#gva, cpu));
  }

  $cast(type: string): KernelValue {
    return this.#values.at(typeNamed(this.#values.kernel, type), this.#gva);
  }

  $container(type: string, member: string): KernelValue {
    const { kernel } = this.#values;
    const outer = typeNamed(kernel, type);
    // With the struct at address 0, a member's address is its offset.
    const { gva } = findPlace(kernel, { type: outer, gva: 0n }, member);
    return this.#values.at(outer, this.#gva - gva);
  }

  $bytes(length = this.#type.size): Uint8Array<ArrayBuffer> {
    return this.#values.kernel.space.bytes(this.#gva, checkedLength(length));
  }

  $string(limit = TEXT_BYTES): string {
    return this.#values.kernel.space.string(this.#gva, checkedLength(limit));
  }

  $list(type: string, link: string, options?: WalkLimit): Generator<unknown> {
    this.#require("list_head");
    return linkedObjects(this.#values, "list", this.#gva, type, link, options);
  }

  $hlist(type: string, link: string, options?: WalkLimit): Generator<unknown> {
    this.#require("hlist_head", "hlist_nulls_head", "hlist_bl_head");
    return linkedObjects(this.#values, "hlist", this.#gva, type, link, options);
  }

  $rbtree(
    type: string,
    link: string,
    options?: WalkLimit,
  ): Generator<unknown> {
    this.#require("rb_root", "rb_root_cached");
    return linkedObjects(
      this.#values,
      "rbtree",
      this.#gva,
      type,
      link,
      options,
    );
  }

  $xarray(
    type: string,
    options?: WalkLimit,
  ): Generator<IndexedEntry<unknown>> {
    this.#require("xarray", "idr");
    const idr = this.#type.tag === "idr";
    const tree = idr ? this.$addressOf("idr_rt") : this.#gva;
    const base = idr && this.$has("idr_base")
      ? Number(this.$integer("idr_base"))
      : 0;
    return xarrayObjects(this.#values, tree, base, type, options);
  }

  $maple(type: string, options?: WalkLimit): Generator<RangeEntry<unknown>> {
    this.#require("maple_tree");
    return mapleObjects(this.#values, this.#gva, type, options);
  }

  /** A short text: `struct list_head at 0xffff...`. */
  describe(): string {
    return `${this.#type.name} at ${hex(this.#gva)}`;
  }

  /** The members as plain data for `JSON.stringify`; pointers are addresses. */
  json(): unknown {
    return jsonOf(this.#values, { type: this.#type, gva: this.#gva });
  }

  #value({ type, gva, bits }: Place): KernelValue {
    return this.#values.at(type, gva, bits);
  }

  #find(path: string): Place {
    const from = { type: this.#type, gva: this.#gva };
    return findPlace(this.#values.kernel, from, path);
  }

  /** Throws unless the struct is one of these. */
  #require(...tags: readonly string[]): void {
    if (tags.includes(this.#type.tag)) return;
    throw new KernelError(
      `${this.#type.name} is no struct ${
        tags.join(" or ")
      }: the walk is a function of the member that is`,
    );
  }
}

/**
 * Properties that JavaScript looks up on any object; members of the same name
 * take precedence.
 */
const OF_OBJECTS: ReadonlyMap<string, (target: StructTarget) => unknown> =
  new Map<string, (target: StructTarget) => unknown>([
    ["toString", (target) => () => target.describe()],
    ["valueOf", (target) => () => target.describe()],
    ["toJSON", (target) => () => target.json()],
    ["constructor", () => Object],
    // Makes `await` return the object itself: it is not a promise.
    ["then", () => undefined],
  ]);

const HANDLER: ProxyHandler<StructTarget> = {
  get(target, key) {
    if (typeof key === "symbol") {
      return key === Symbol.toPrimitive ? () => target.describe() : undefined;
    }
    if (key.startsWith("$") && key in StructTarget.prototype) {
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    }
    const own = target.hasMember(key) ? undefined : OF_OBJECTS.get(key);
    return own === undefined ? target.member(key) : own(target);
  },
  has: (target, key) =>
    typeof key === "string" &&
    (key.startsWith("$")
      ? key in StructTarget.prototype
      : target.hasMember(key)),
  ownKeys: (target) => [...target.names],
  getOwnPropertyDescriptor(target, key) {
    if (typeof key !== "string" || !target.hasMember(key)) return undefined;
    return {
      configurable: true,
      enumerable: true,
      get: () => target.member(key),
    };
  },
  set(target, key) {
    throw new KernelError(
      `${target.$type}.${String(key)} cannot be set: objects are read alone`,
    );
  },
};

/** Creates the object for the struct at a GVA. */
export function structObject(
  values: Values,
  type: StructType,
  gva: bigint,
): AnyStruct {
  const target: unknown = new Proxy(
    new StructTarget(values, type, gva),
    HANDLER,
  );
  // The proxy's handler provides what the interface promises.
  return target as AnyStruct;
}
