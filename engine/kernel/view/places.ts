/**
 * Finds where members lie: given a struct at an address, the member's type and
 * address.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { didYouMean, nearNames } from "../../base/near_names.ts";
import type { CType } from "../btf/c_type.ts";
import type { Member } from "../btf/struct_layout.ts";
import type { Kernel } from "../core/kernel.ts";
import type { Bits } from "./context.ts";
import { readInteger } from "./integers.ts";
import { parsePath } from "./path.ts";

/** A type at an address. */
export interface Place {
  readonly type: CType;
  readonly gva: bigint;
  /** For bit-fields: the bits, counted from that address. */
  readonly bits?: Bits;
}

/** Where a member of the struct at a GVA lies. */
export function memberPlace(
  kernel: Kernel,
  gva: bigint,
  member: Member,
): Place {
  const type = kernel.types.typeOf(member.type);
  const { bitOffset, bitSize } = member;
  return bitOffset === undefined || bitSize === undefined
    ? { type, gva: gva + BigInt(member.offset) }
    : { type, gva, bits: { first: bitOffset, width: bitSize } };
}

/** Where an element of an array lies, even beyond the array's length. */
export function elementPlace(
  element: CType,
  gva: bigint,
  index: number,
): Place {
  return {
    type: element,
    gva: BigInt.asUintN(64, gva + BigInt(index) * BigInt(element.size)),
  };
}

/**
 * Where the member at a path lies. The path may go through embedded structs and
 * arrays, but not through pointers.
 *
 * @throws {KernelError} when this kernel's struct has no such member.
 */
export function findPlace(kernel: Kernel, from: Place, path: string): Place {
  const found = walkPath(kernel, from, path, ({ type }) => {
    throw new KernelError(
      `${path} leads through a pointer (${type.name}): take the object that it points to first`,
    );
  });
  return found ?? from;
}

/**
 * Like {@linkcode findPlace}, but follows pointers; `undefined` when one of
 * them is NULL.
 *
 * @throws {MemoryError} when a pointer on the way cannot be read.
 */
export function followPath(
  kernel: Kernel,
  from: Place,
  path: string,
): Place | undefined {
  return walkPath(kernel, from, path, ({ type, gva }) => {
    const to = readInteger(kernel.space, type, gva);
    return to === 0n || type.kind !== "pointer"
      ? undefined
      : { type: type.target, gva: to };
  });
}

/** Walks a path; `through` follows a pointer. */
function walkPath(
  kernel: Kernel,
  from: Place,
  path: string,
  through: (pointer: Place) => Place | undefined,
): Place | undefined {
  let place: Place | undefined = from;
  for (const { name, indices } of parsePath(path)) {
    if (place.type.kind === "pointer") place = through(place);
    if (place === undefined) return undefined;
    const member: Member | undefined = place.type.kind === "struct"
      ? place.type.layout.members.get(name)
      : undefined;
    if (member === undefined) throw absentMember(from.type, path);
    place = memberPlace(kernel, place.gva, member);
    for (const index of indices) {
      const pointer = place.type.kind === "pointer";
      const base: Place | undefined = pointer ? through(place) : place;
      if (base === undefined) return undefined;
      const element = base.type.kind === "array" && !pointer
        ? base.type.element
        : base.type;
      if (!pointer && base.type.kind !== "array") {
        throw absentMember(from.type, path);
      }
      place = elementPlace(element, base.gva, index);
    }
  }
  return place;
}

/** The error for a member that does not exist. */
export function absentMember(struct: CType, path: string): KernelError {
  const names = struct.kind === "struct" ? struct.layout.members.keys() : [];
  return new KernelError(
    `${struct.name} of this kernel has no member ${path}${
      didYouMean(nearNames(path, names)) ||
      ": $has() tells whether there is one"
    }`,
  );
}
