/**
 * Renders bytes in the way of the kernel's `%p` extensions: addresses of
 * network cards and of the Internet, UUIDs, bitmaps, hexadecimal bytes.
 *
 * @module
 */

type ByteReader = (index: number) => number;

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/** `%pM`, `%pMF`, `%pMR`, `%pm`. */
export function mac(read: ByteReader, ext: string): string {
  const separator = ext[0] === "m" ? "" : ext[1] === "F" ? "-" : ":";
  const bytes = Array.from(
    { length: 6 },
    (_, i) => HEX[read(ext[1] === "R" ? 5 - i : i)],
  );
  return bytes.join(separator);
}

/** `%pI4` and `%pi4` (leading zeros), with `h`, `n`, `b`, `l` byte orders. */
export function ip4(read: ByteReader, ext: string): string {
  const reversed = ext[2] === "h" || ext[2] === "l";
  const quads = Array.from({ length: 4 }, (_, i) => {
    const text = String(read(reversed ? 3 - i : i));
    return ext[0] === "i" ? text.padStart(3, "0") : text;
  });
  return quads.join(".");
}

/** `%pI6` and `%pi6` (no colons). */
export function ip6(read: ByteReader, ext: string): string {
  const words = Array.from(
    { length: 8 },
    (_, i) => HEX[read(2 * i)] + HEX[read(2 * i + 1)],
  );
  return words.join(ext[0] === "i" ? "" : ":");
}

/** `%pI6c`: the longest run of zeros is written as `::`. */
export function ip6Compressed(read: ByteReader): string {
  const words = Array.from(
    { length: 8 },
    (_, i) => read(2 * i) << 8 | read(2 * i + 1),
  );
  const zero = (from: number, to: number) =>
    words.slice(from, to).every((word) => word === 0);
  const mapped = zero(0, 5) && words[5] === 0xffff;
  const isatap = (words[4] & ~0x0200) === 0 && words[5] === 0x5efe;
  const range = mapped || isatap ? 6 : 8;
  let start = -1;
  let longest = 1;
  for (let i = 0; i < range; i++) {
    let length = 0;
    while (i + length < range && words[i + length] === 0) length++;
    if (length > longest) {
      longest = length;
      start = i;
    }
  }
  let text = "";
  let colon = false;
  for (let i = 0; i < range; i++) {
    if (i === start) {
      if (colon || i === 0) text += ":";
      text += ":";
      colon = false;
      i += longest - 1;
      continue;
    }
    if (colon) text += ":";
    text += words[i].toString(16);
    colon = true;
  }
  if (range === 6) {
    if (colon) text += ":";
    text += ip4((i) => read(12 + i), "I4");
  }
  return text;
}

/** `%pIS` with `p`, `f`, `s`, `c`: a `struct sockaddr`. */
export function socketAddress(read: ByteReader, ext: string): string {
  const family = read(0) | read(1) << 8;
  const options = ext.substring(2);
  const port = read(2) << 8 | read(3);
  if (family === 2) {
    const order = /[hlnb]/.exec(options)?.[0] ?? "";
    const text = ip4((i) => read(4 + i), `${ext[0]}4${order}`);
    return options.includes("p") ? `${text}:${port}` : text;
  }
  if (family !== 10) return "(einval)";
  const address = (i: number) => read(8 + i);
  const text = ext[0] === "I" && options.includes("c")
    ? ip6Compressed(address)
    : ip6(address, ext);
  if (!/[pfs]/.test(options)) return text;
  let full = `[${text}]`;
  if (options.includes("p")) full += `:${port}`;
  if (options.includes("f")) {
    const flow = (read(5) & 0x0f) << 16 | read(6) << 8 | read(7);
    full += `/${flow}`;
  }
  if (options.includes("s")) {
    const scope = read(24) | read(25) << 8 | read(26) << 16 | read(27) << 24;
    full += `%${scope >>> 0}`;
  }
  return full;
}

const UUID_ORDER = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** `%pUb`, `%pUB` (upper case), `%pUl`, `%pUL` (little-endian). */
export function uuid(read: ByteReader, ext: string): string {
  const order = ext[1] === "l" || ext[1] === "L" ? GUID_ORDER : UUID_ORDER;
  let text = "";
  order.forEach((index, i) => {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += HEX[read(index)];
  });
  return ext[1] === "B" || ext[1] === "L" ? text.toUpperCase() : text;
}

/** `%*ph`, `%*phC`, `%*phD`, `%*phN`: at most 64 bytes. */
export function hexBytes(
  read: ByteReader,
  width: number,
  ext: string,
): string {
  if (width === 0) return "";
  const count = width > 0 ? Math.min(width, 64) : 1;
  const separators: Record<string, string> = { C: ":", D: "-", N: "" };
  const separator = separators[ext[1]] ?? " ";
  let text = "";
  for (let i = 0; i < count; i++) {
    if (i > 0) text += separator;
    text += HEX[read(i)];
  }
  return text;
}

/**
 * A row of a hex dump (lib/hexdump.c, hex_dump_to_buffer).
 *
 * @param row how many bytes a whole row has: 16 or 32
 * @param group how many bytes stand together, as a little-endian number
 */
export function hexDumpRow(
  bytes: readonly number[],
  row: number,
  group: number,
  ascii: boolean,
): string {
  const known = [1, 2, 4, 8].includes(group) && bytes.length % group === 0;
  const size = known ? group : 1;
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    let text = "";
    for (let i = size - 1; i >= 0; i--) text += HEX[bytes[at + i]];
    groups.push(text);
  }
  const hex = groups.join(" ");
  if (!ascii) return hex;
  const column = row * 2 + row / size + 1;
  return hex.padEnd(column) +
    bytes.map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
    ).join("");
}

/** `%*pb`: `width` bits in hexadecimal groups of 32, highest first. */
export function bitmap(read: ByteReader, width: number): string {
  const bits = Math.max(0, width);
  let chunk = bits % 32 || 32;
  const groups: string[] = [];
  for (let i = Math.ceil(bits / 32) * 32 - 32; i >= 0; i -= 32) {
    const at = i / 8;
    const word = read(at) | read(at + 1) << 8 | read(at + 2) << 16 |
      read(at + 3) << 24;
    const value = chunk === 32 ? word >>> 0 : word & (1 << chunk) - 1;
    groups.push(
      (value >>> 0).toString(16).padStart(Math.ceil(chunk / 4), "0"),
    );
    chunk = 32;
  }
  return groups.join(",");
}

/** `%*pbl`: the set bits of `width` as a list of ranges. */
export function bitmapList(read: ByteReader, width: number): string {
  const ranges: string[] = [];
  const set = (bit: number) =>
    bit < width && (read(bit >> 3) >> (bit & 7) & 1) === 1;
  for (let bit = 0; bit < width; bit++) {
    if (!set(bit)) continue;
    const first = bit;
    while (set(bit + 1)) bit++;
    ranges.push(bit === first ? `${first}` : `${first}-${bit}`);
  }
  return ranges.join(",");
}
