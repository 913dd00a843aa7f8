/**
 * Parses guest/xftrace.h: the numbers and struct layouts in the subset of C to
 * which the header is limited.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";

/** The definitions in a header. */
export interface Header {
  /** Values of `#define NAME number`. */
  readonly defines: ReadonlyMap<string, bigint>;
  /** Member offsets in bytes by struct name; the entry `bytes` is the size. */
  readonly structs: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

const SIZE: Readonly<Record<string, number>> = {
  __u8: 1,
  char: 1,
  __u16: 2,
  __u32: 4,
  __u64: 8,
  __s64: 8,
};

/**
 * Parses the header's text.
 *
 * @throws {XftraceError} when a member has a type without a fixed width, or
 * would be preceded by padding, since the two sides could then disagree.
 */
export function parseHeader(text: string): Header {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const defines = new Map<string, bigint>();
  for (
    const [, name, value] of code.matchAll(
      /^#define\s+(\w+)\s+(0x[0-9a-f]+|\d+)\s*$/gim,
    )
  ) defines.set(name, BigInt(value));
  const structs = new Map<string, ReadonlyMap<string, number>>();
  for (const [, name, body] of code.matchAll(/struct\s+(\w+)\s*{([^}]*)}/g)) {
    const members = new Map<string, number>();
    let offset = 0;
    let align = 1;
    for (
      const [, type, member, count] of body.matchAll(
        /(\w+)\s+(\w+)(?:\[(\d+)\])?\s*;/g,
      )
    ) {
      const size = SIZE[type];
      if (size === undefined) {
        throw new XftraceError(
          `struct ${name} has a member of type ${type}; use fixed-width types`,
        );
      }
      if (offset % size !== 0) {
        throw new XftraceError(
          `struct ${name} has padding before ${member}; add a reserved member`,
        );
      }
      members.set(member, offset);
      offset += size * (count === undefined ? 1 : Number(count));
      align = Math.max(align, size);
    }
    if (offset % align !== 0) {
      throw new XftraceError(
        `struct ${name} has padding at its end; add a reserved member`,
      );
    }
    members.set("bytes", offset);
    structs.set(name, members);
  }
  return { defines, structs };
}
