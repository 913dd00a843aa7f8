/**
 * An object in guest memory, read by the names of its members.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { Member, Types } from "../btf/types.ts";
import type { Symbols } from "../symbols/symbols.ts";

/** A kernel's memory and its description: all that its objects need. */
export interface KernelMemory {
  readonly space: AddressSpace;
  readonly symbols: Symbols;
  readonly types: Types;
}

/**
 * A struct at a GVA. Member paths go through embedded structs (`list.next`) but
 * never through pointers; {@linkcode KernelObject.follow} follows those.
 */
export class KernelObject {
  readonly kernel: KernelMemory;
  /** The struct's name, without `struct`. */
  readonly struct: string;
  /** GVA of the object. */
  readonly gva: bigint;

  constructor(kernel: KernelMemory, struct: string, gva: bigint) {
    this.kernel = kernel;
    this.struct = struct;
    this.gva = gva;
  }

  /** Whether the kernel's struct has this member. */
  has(path: string): boolean {
    return this.kernel.types.tryMember(this.struct, path) !== undefined;
  }

  /** GVA of a member. @throws {KernelError} when there is no such member. */
  at(path: string): bigint {
    return this.gva + BigInt(this.kernel.types.offset(this.struct, path));
  }

  /**
   * The member's layout. @throws {KernelError} when there is no such member.
   */
  member(path: string): Member {
    const member = this.kernel.types.tryMember(this.struct, path);
    if (member === undefined) {
      throw new KernelError(
        `this kernel's struct ${this.struct} has no member ${path}`,
      );
    }
    return member;
  }

  /**
   * An integer member or bit-field of at most 32 bits, zero-extended.
   *
   * @throws {KernelError} when there is no such member, or it is not a number.
   * @throws {MemoryError} when it cannot be read.
   */
  number(path: string): number {
    const member = this.member(path);
    const { space } = this.kernel;
    if (member.bitSize !== undefined && member.bitOffset !== undefined) {
      // Only the bytes that hold the bit-field: the next one may not be mapped.
      const first = Math.floor(member.bitOffset / 8);
      const skipped = member.bitOffset - first * 8;
      const bytes = space.bytes(
        this.gva + BigInt(first),
        Math.ceil((skipped + member.bitSize) / 8),
      );
      const word = bytes.reduceRight(
        (sum, byte) => sum * 256n + BigInt(byte),
        0n,
      );
      const mask = (1n << BigInt(member.bitSize)) - 1n;
      return Number((word >> BigInt(skipped)) & mask);
    }
    const at = this.gva + BigInt(member.offset);
    switch (member.size) {
      case 1:
        return space.u8(at);
      case 2:
        return space.u16(at);
      case 4:
        return space.u32(at);
      case 8: {
        const value = space.u64(at);
        if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
        throw new KernelError(
          `${this.struct}.${path} holds 0x${
            value.toString(16)
          }, which is more than it can mean`,
        );
      }
      default:
        throw new KernelError(
          `${this.struct}.${path} (${member.typeName}) is not a number`,
        );
    }
  }

  /** A signed 32-bit member. Throws like {@linkcode number}. */
  s32(path: string): number {
    return this.number(path) | 0;
  }

  /** A 64-bit member (u64, unsigned long, pointer). */
  u64(path: string): bigint {
    const member = this.member(path);
    const at = this.gva + BigInt(member.offset);
    return member.size === 8
      ? this.kernel.space.u64(at)
      : BigInt(this.number(path));
  }

  /** The object embedded at a path. */
  embedded(path: string, struct: string): KernelObject {
    return new KernelObject(this.kernel, struct, this.at(path));
  }

  /** The object that a pointer member points to; `undefined` for NULL. */
  follow(path: string, struct: string): KernelObject | undefined {
    const gva = this.u64(path);
    return gva === 0n ? undefined : new KernelObject(this.kernel, struct, gva);
  }

  /** A `char *` member's string; `undefined` for NULL. */
  stringAt(path: string, limit = 256): string | undefined {
    const gva = this.u64(path);
    return gva === 0n ? undefined : this.kernel.space.string(gva, limit);
  }

  /** A `char[]` member's string. */
  chars(path: string): string {
    const member = this.member(path);
    return this.kernel.space.string(
      this.gva + BigInt(member.offset),
      member.size,
    );
  }

  /**
   * The objects on a `struct list_head` list whose head is this object's
   * member `path`; each is a `struct` linked by its member `link`.
   *
   * @throws {KernelError} when the list does not lead back to its head within
   * `limit` entries (default 65536), because it is damaged or changing.
   */
  *list(
    path: string,
    struct: string,
    link: string,
    limit = 65536,
  ): Generator<KernelObject> {
    yield* listFrom(this.kernel, this.at(path), struct, link, limit);
  }
}

/** Like {@linkcode KernelObject.list}, from the GVA of a list head. */
export function* listFrom(
  kernel: KernelMemory,
  head: bigint,
  struct: string,
  link: string,
  limit = 65536,
): Generator<KernelObject> {
  const back = BigInt(kernel.types.offset(struct, link));
  let at = kernel.space.u64(head);
  for (let n = 0; at !== head; n++) {
    if (n >= limit) {
      throw new KernelError(
        `the list of struct ${struct} at 0x${
          head.toString(16)
        } does not end within ${limit} entries`,
      );
    }
    kernel.space.budget.node(at);
    yield new KernelObject(kernel, struct, at - back);
    at = kernel.space.u64(at);
  }
}
