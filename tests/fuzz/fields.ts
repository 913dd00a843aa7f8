/**
 * Changes of binary formats whose fields are known: counts to their extremes,
 * pointers to themselves and to each other, records copied, cut and repeated.
 *
 * @module
 */
import type { Random } from "../random.ts";

/** A field of a binary format. */
export interface Field {
  /** Offset in bytes. */
  readonly at: number;
  /** Size in bytes: 1, 2, 4 or 8 for numbers. */
  readonly size: number;
  /** Whether it holds text. */
  readonly text?: boolean;
}

/** Consecutive numbers of the same size. */
export function numbers(at: number, size: number, count: number): Field[] {
  return Array.from({ length: count }, (_, i) => ({ at: at + i * size, size }));
}

/** Fields of these sizes, one after the other. */
export function packed(at: number, sizes: readonly number[]): Field[] {
  return sizes.map((size) => ({ at: (at += size) - size, size }));
}

type Bytes = Uint8Array<ArrayBuffer>;

/** The number in a field; 0 where it lies outside. */
export function getField(bytes: Bytes, { at, size }: Field): bigint {
  let value = 0n;
  for (let i = Math.min(size, 8) - 1; i >= 0; i--) {
    value = value << 8n | BigInt(bytes[at + i] ?? 0);
  }
  return value;
}

/** Stores the low bytes of a number. */
export function setField(
  bytes: Bytes,
  { at, size }: Field,
  value: bigint,
): void {
  for (let i = 0; i < size && at + i < bytes.length; i++) {
    bytes[at + i] = Number(value & 0xffn);
    value >>= 8n;
  }
}

/** What an enemy writes into a number. */
export function hostileNumber(
  bytes: Bytes,
  field: Field,
  fields: readonly Field[],
  random: Random,
  pool: readonly bigint[] = [],
): bigint {
  const own = getField(bytes, field);
  const bits = BigInt(8 * Math.min(field.size, 8));
  const top = 1n << (bits - 1n);
  const other = random.pick(fields);
  const length = BigInt(bytes.length);
  const choices = [
    () => 0n,
    () => 1n,
    () => (1n << bits) - 1n,
    () => (1n << bits) - BigInt(1 + random.next(64)),
    () => top,
    () => top - 1n,
    () => own + 1n,
    () => own - 1n,
    () => own * 2n,
    () => own ^ (1n << BigInt(random.next(Number(bits)))),
    () => 1n << BigInt(random.next(Number(bits))),
    () => (1n << BigInt(random.next(Number(bits)))) - 1n,
    // To itself, to another field, and what another field points to.
    () => BigInt(field.at),
    () => BigInt(other.at),
    () => getField(bytes, other),
    () => length,
    () => length - BigInt(field.at),
    () => length - BigInt(random.next(16)),
    () => BigInt(random.next(bytes.length + 1)),
    () => BigInt(random.next(256)),
    () => pool.length > 0 ? random.pick(pool) : own + 8n,
    () => pool.length > 0 ? random.pick(pool) : own - 8n,
  ];
  return random.pick(choices)();
}

/** Text of all kinds: without end, empty, foreign, long. */
export function hostileText(size: number, random: Random): Bytes {
  const bytes = new Uint8Array(size);
  const kind = random.next(5);
  for (let i = 0; i < size; i++) {
    bytes[i] = kind === 0
      ? 0x41
      : kind === 1
      ? 0
      : kind === 2
      ? random.next(256)
      : kind === 3
      ? random.pick([0x1b, 0x5b, 0x0a, 0x0d, 0x25, 0x2f, 0x2e, 0x5f])
      : 0xff;
  }
  return bytes;
}

/**
 * One change of a format with these fields; the result may have another length.
 *
 * @param pool numbers that are at home in this format: addresses, ids
 */
export function mutateFields(
  bytes: Bytes,
  fields: readonly Field[],
  random: Random,
  pool: readonly bigint[] = [],
): Bytes {
  const kind = random.next(16);
  const field = random.pick(fields);
  const other = random.pick(fields);
  const size = 1 + random.next(64);
  if (kind < 11) {
    if (field.text) {
      bytes.set(
        hostileText(field.size, random).subarray(
          0,
          Math.max(0, bytes.length - field.at),
        ),
        Math.min(field.at, bytes.length),
      );
    } else {
      setField(
        bytes,
        field,
        hostileNumber(bytes, field, fields, random, pool),
      );
    }
    return bytes;
  }
  switch (kind) {
    case 11:
      // One record over another.
      bytes.copyWithin(other.at, field.at, field.at + size);
      return bytes;
    case 12:
      return bytes.slice(0, field.at + random.next(field.size + 1));
    case 13:
      return spliced(
        bytes,
        field.at,
        0,
        bytes.slice(other.at, other.at + size),
      );
    case 14:
      return spliced(bytes, field.at, size, new Uint8Array(0));
    default: {
      // The same value in several fields.
      const value = hostileNumber(bytes, field, fields, random, pool);
      for (let i = 0; i < 4; i++) {
        const one = random.pick(fields);
        if (!one.text) setField(bytes, one, value);
      }
      return bytes;
    }
  }
}

/** A copy in which other bytes stand in the place of some. */
export function spliced(
  bytes: Bytes,
  at: number,
  remove: number,
  insert: Uint8Array,
): Bytes {
  const start = Math.min(at, bytes.length);
  const rest = bytes.subarray(Math.min(start + remove, bytes.length));
  const result = new Uint8Array(start + insert.length + rest.length);
  result.set(bytes.subarray(0, start));
  result.set(insert, start);
  result.set(rest, start + insert.length);
  return result;
}
