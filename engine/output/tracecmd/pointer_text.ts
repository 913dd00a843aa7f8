/**
 * `%p` and its forms, as libtraceevent prints them: functions, MAC and IP
 * addresses, UUIDs, bytes.
 *
 * @module
 */
import type { PrintArg } from "./print_arg.ts";
import {
  anyField,
  dynamicPlace,
  type PrintRecord,
  type PrintValues,
} from "./print_values.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Bytes that are printed at most. */
const MOST_BYTES = 1024;

/** How many characters after `%p` belong to it. */
export function pointerLength(text: string): number {
  return /^(?:[FSfs]|[Mm][RF]?|[Ii](?:4[hnbl]?|6c?|S[pfs]*[hnbl]?c?)|U[LlBb]?|h[CDN]?)/
    .exec(text)?.[0].length ?? 0;
}

/** Prints a pointer. */
export function printPointer(
  form: string,
  values: PrintValues,
  record: PrintRecord,
  arg: PrintArg,
  guest: TracecmdGuest,
  count: number | undefined,
): string {
  if (arg.kind === "text") return arg.text;
  switch (form[0]) {
    case "F":
    case "f":
    case "S":
    case "s":
      return functionText(form, values.number(record, arg), guest);
    case "M":
    case "m":
      return macText(form, bytesOf(record, arg, 6));
    case "I":
    case "i":
      return addressText(form, record, arg);
    case "U":
      return uuidText(form, bytesOf(record, arg, 16));
    case "h":
      return rawText(form, bytesOf(record, arg, count ?? 1, ["dynamic"]));
    default: {
      const value = values.number(record, arg);
      return value === 0n ? "(nil)" : `0x${value.toString(16)}`;
    }
  }
}

/** A function's name, with `+0x10` for `%pS`. */
export function functionText(
  form: string,
  address: bigint,
  guest: TracecmdGuest,
): string {
  const found = guest.function(address);
  if (found === undefined) {
    const shown = guest.longSize === 4 ? address : BigInt.asUintN(64, address);
    return `0x${shown.toString(16)}`;
  }
  return form[0] === "F" || form[0] === "S"
    ? `${found.name}+0x${(address - found.address).toString(16)}`
    : found.name;
}

/** How libtraceevent numbers the kinds of arguments, in its messages. */
const KINDS: Readonly<Partial<Record<PrintArg["kind"], number>>> = {
  none: 0,
  atom: 1,
  field: 2,
  flags: 3,
  symbol: 4,
  array: 6,
  cast: 7,
  string: 8,
  dynamic: 10,
  op: 11,
  call: 12,
  bitmask: 13,
  dynamicLength: 14,
  cpumask: 16,
};

/** What it prints of an argument of a kind that it does not expect. */
function wrongKind({ kind, ...rest }: PrintArg): string {
  const hex = "spaces" in rest && rest.spaces ? 5 : 15;
  return `ARG TYPE NOT FIELD BUT ${KINDS[kind] ?? hex}`;
}

/**
 * The bytes that an argument leads to, in the entry; a text for an argument of
 * a wrong kind.
 */
function bytesOf(
  { event, bytes }: PrintRecord,
  arg: PrintArg,
  most: number,
  kinds: readonly PrintArg["kind"][] = ["field"],
): number[] | string {
  let inner = arg;
  while (inner.kind === "cast" && kinds[0] === "field") inner = inner.item;
  if (!kinds.includes(inner.kind)) return wrongKind(inner);
  let offset = 0;
  let length = 0;
  if (inner.kind === "dynamic") {
    ({ offset, length } = dynamicPlace(inner.field, bytes));
  } else if (inner.kind === "field") {
    const field = anyField(event, inner.name);
    if (field === undefined) return "";
    ({ offset } = field);
    length = field.size;
    // Of another size, it is none.
    if (kinds.length === 1 && length !== most) return [];
  }
  const all: number[] = [];
  for (let i = 0; i < Math.min(length, most, MOST_BYTES); i++) {
    all.push(bytes.u8(offset + i));
  }
  return all;
}

const hex2 = (byte: number) => byte.toString(16).padStart(2, "0");

function macText(form: string, bytes: number[] | string): string {
  if (typeof bytes === "string") return bytes;
  if (bytes.length !== 6) return "INVALIDMAC";
  if (form[1] === "R") bytes.reverse();
  const between = form[0] === "m" ? "" : form[1] === "F" ? "-" : ":";
  return bytes.map(hex2).join(between);
}

function uuidText(form: string, bytes: number[] | string): string {
  if (typeof bytes === "string") return bytes;
  if (bytes.length !== 16) return "INVALIDUUID";
  const little = form[1] === "l" || form[1] === "L";
  const order = little
    ? [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    : [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
  const text = order.map((i) =>
    hex2(bytes[i]) + ([3, 5, 7, 9].includes(order.indexOf(i)) ? "-" : "")
  ).join("");
  return form[1] === "L" || form[1] === "B" ? text.toUpperCase() : text;
}

function rawText(form: string, bytes: number[] | string): string {
  if (typeof bytes === "string") return bytes;
  const between = form[1] === "C"
    ? ":"
    : form[1] === "D"
    ? "-"
    : form[1] === "N"
    ? ""
    : " ";
  return bytes.map(hex2).join(between);
}

function addressText(form: string, record: PrintRecord, arg: PrintArg): string {
  if (form[1] === "4") {
    const bytes = bytesOf(record, arg, 4);
    if (typeof bytes === "string") return bytes;
    return bytes.length === 4 ? ip4(form, bytes) : "INVALIDIPv4";
  }
  if (form[1] === "6") {
    const bytes = bytesOf(record, arg, 16);
    if (typeof bytes === "string") return bytes;
    return bytes.length === 16 ? ip6(form, bytes) : "INVALIDIPv6";
  }
  // A struct sockaddr: family, port, address.
  const bytes = bytesOf(record, arg, 28, ["field", "dynamic"]);
  if (typeof bytes === "string") return bytes;
  const family = (bytes[0] ?? 0) | (bytes[1] ?? 0) << 8;
  const port = (bytes[2] ?? 0) << 8 | (bytes[3] ?? 0);
  const withPort = form.includes("p");
  if (family === 2 && bytes.length >= 8) {
    return ip4(form, bytes.slice(4, 8)) + (withPort ? `:${port}` : "");
  }
  if (family === 10 && bytes.length >= 24) {
    const address = ip6(form, bytes.slice(8, 24));
    return withPort ? `[${address}]:${port}` : address;
  }
  return "";
}

function ip4(form: string, bytes: readonly number[]): string {
  const ordered = /[hl]/.test(form.slice(2)) ? [...bytes].reverse() : bytes;
  return ordered.map((byte) =>
    form[0] === "i" ? String(byte).padStart(3, "0") : String(byte)
  ).join(".");
}

function ip6(form: string, bytes: readonly number[]): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[2 * i] << 8 | bytes[2 * i + 1],
  );
  if (form[0] === "I" && form.endsWith("c")) return shortIp6(groups, bytes);
  return groups.map((group) => group.toString(16).padStart(4, "0"))
    .join(form[0] === "i" ? "" : ":");
}

/** The short form: the longest run of zeros is left out. */
function shortIp6(groups: readonly number[], bytes: readonly number[]): string {
  const mapped = groups.slice(0, 5).every((group) => group === 0) &&
    groups[5] === 0xffff;
  const count = mapped ? 6 : 8;
  let start = -1;
  let longest = 1;
  for (let i = 0; i < count; i++) {
    let length = 0;
    while (i + length < count && groups[i + length] === 0) length++;
    if (length > longest) {
      longest = length;
      start = i;
    }
  }
  let text = "";
  for (let i = 0; i < count; i++) {
    if (i === start) {
      text += i === 0 ? "::" : ":";
      i += longest - 1;
      continue;
    }
    text += groups[i].toString(16) + (i < count - 1 ? ":" : "");
  }
  if (!mapped) return text;
  return `${text.endsWith(":") ? text : `${text}:`}${
    bytes.slice(12).join(".")
  }`;
}
