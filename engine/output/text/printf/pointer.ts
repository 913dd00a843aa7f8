/**
 * Renders the kernel's `%p` conversions (lib/vsprintf.c, `pointer`).
 *
 * @module
 */

import { isErrorPointer } from "../../../base/error_pointer.ts";
import type { TextEnvironment } from "../environment.ts";
import { PrintFmtError } from "../print_fmt/lexer.ts";
import { formatInteger, formatString } from "./printf_number.ts";
import type { FormatSpec } from "./printf_spec.ts";
import {
  bitmap,
  bitmapList,
  hexBytes,
  ip4,
  ip6,
  ip6Compressed,
  mac,
  socketAddress,
  uuid,
} from "./pointer_bytes.ts";
import { sipHashWord } from "../../../base/siphash.ts";

/** Reads a byte of the memory to which a pointer points. */
export type ByteReader = (index: number) => number;

/** What the kernel prints for an address while it has no key to hash it. */
export const UNKNOWN_POINTER = "(____ptrval____)";

/** The width of a plain pointer in hexadecimal digits. */
const POINTER_DIGITS = 16;

/**
 * A conversion that prints the address itself or its name: plain `%p`, `%px`,
 * `%pK`, `%pS`, `%ps`, `%pB`; `undefined` if `spec` is another one.
 */
export function addressFormatter(
  spec: FormatSpec,
):
  | ((address: bigint, env: TextEnvironment, width: number) => string)
  | undefined {
  const pad = (text: string, width: number) =>
    formatString(text, spec.left, width, -1);
  switch (spec.pointer[0]) {
    case "S":
    case "F":
      return (address, env, width) => pad(symbol(address, env, "pS"), width);
    case "s":
    case "f":
      return (address, env, width) => pad(symbol(address, env, "ps"), width);
    case "B":
      return (address, env, width) => pad(symbol(address, env, "pB"), width);
    case "x":
      return (address, _env, width) => pointerString(address, spec, width);
    case undefined:
    case "K":
      return (address, env, width) => hashed(address, spec, width, env);
    default:
      return undefined;
  }
}

/**
 * A conversion that prints the bytes to which the pointer points (`%pM`,
 * `%pI4`, `%*ph`, `%*pbl`, `%pUb` ...); `undefined` if `spec` is another one.
 */
export function bytesFormatter(
  spec: FormatSpec,
): ((read: ByteReader, width: number) => string) | undefined {
  const ext = spec.pointer;
  const pad = (text: string, width: number) =>
    formatString(text, spec.left, width, -1);
  switch (ext[0]) {
    case "M":
    case "m":
      return (read, width) => pad(mac(read, ext), width);
    case "I":
    case "i":
      if (ext[1] === "4") return (read, width) => pad(ip4(read, ext), width);
      if (ext[1] === "6") {
        const compressed = ext[0] === "I" && ext[2] === "c";
        return (read, width) =>
          pad(compressed ? ip6Compressed(read) : ip6(read, ext), width);
      }
      if (ext[1] === "S") {
        return (read, width) => pad(socketAddress(read, ext), width);
      }
      return undefined;
    case "U":
      return (read, width) => pad(uuid(read, ext), width);
    case "h":
      return (read, width) => hexBytes(read, width, ext);
    case "b":
      return ext[1] === "l" ? bitmapList : bitmap;
    case "a":
      return (read) => {
        let value = 0n;
        for (let i = 7; i >= 0; i--) value = value << 8n | BigInt(read(i));
        return "0x" + value.toString(16).padStart(POINTER_DIGITS, "0");
      };
    default:
      return undefined;
  }
}

function symbol(
  address: bigint,
  env: TextEnvironment,
  form: "pS" | "ps" | "pB",
): string {
  return env.symbols[form](
    Number(address & 0xffffffffn),
    Number(address >> 32n & 0xffffffffn),
  );
}

function pointerString(
  address: bigint,
  spec: FormatSpec,
  width: number,
): string {
  return formatInteger(
    address,
    {
      ...spec,
      conversion: "x",
      size: 8,
      zeroPad: spec.zeroPad || width < 0,
    },
    width < 0 ? POINTER_DIGITS : width,
    spec.precision,
  );
}

function hashed(
  address: bigint,
  spec: FormatSpec,
  width: number,
  env: TextEnvironment,
): string {
  const plain = env.noHashPointers === true ||
    // trace_event_format replaces `%p` by `%px`, but leaves `%pK` as it is.
    (env.hashPointers === false && spec.pointer === "");
  // NULL and error pointers are not addresses, so they are shown as they are.
  if (plain || address === 0n || isErrorPointer(address)) {
    return pointerString(address, spec, width);
  }
  const key = env.pointerKey;
  if (env.pointerKeyUnknown === true) {
    throw new PrintFmtError(
      "the kernel's ptr_key is not where it is known to be",
    );
  }
  if (key === undefined) {
    return formatString(UNKNOWN_POINTER, spec.left, POINTER_DIGITS, -1);
  }
  return pointerString(pointerHash(address, key), spec, width);
}

/** Hashes are cached by key, since the same objects occur again and again. */
const HASHES = new WeakMap<readonly [bigint, bigint], Map<bigint, bigint>>();
const MEMO_LIMIT = 65536;

/** `__ptr_to_hashval`: the low half of the keyed hash. */
function pointerHash(
  address: bigint,
  key: readonly [bigint, bigint],
): bigint {
  let known = HASHES.get(key);
  if (known === undefined) {
    known = new Map();
    HASHES.set(key, known);
  }
  let hash = known.get(address);
  if (hash === undefined) {
    hash = sipHashWord(address, key[0], key[1]) & 0xffffffffn;
    if (known.size >= MEMO_LIMIT) known.clear();
    known.set(address, hash);
  }
  return hash;
}
