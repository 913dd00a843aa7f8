/**
 * Hexdumps as `xxd` writes them: the form in which ring-buffer pages are
 * kept as test fixtures, so that a page can be read in a review.
 *
 * @module
 */

import { XftraceError } from "../../base/errors.ts";

/** Initial size of the result, in bytes. */
const FIRST_SIZE = 4096;

/**
 * Parses an `xxd` dump: `00000010: 0a00 0000 ... text`. Lines that start with
 * `#` and blank lines are skipped; a gap between the offsets of two lines is
 * filled with zeros (`xxd -a` writes `*`).
 *
 * @returns the bytes, from offset 0 to the last byte in the dump
 * @throws {XftraceError} which names the line that is not a hexdump line.
 */
export function parseHexdump(text: string): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(FIRST_SIZE);
  let end = 0;
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (/^\s*(#|\*|$)/.test(line)) continue;
    const match = /^\s*([0-9a-fA-F]+):((?: ?[0-9a-fA-F]{2})+)(?:\s|$)/.exec(
      line,
    );
    if (match === null) {
      throw new XftraceError(
        `line ${number} is not a hexdump line ("OFFSET: HEX BYTES"): ${line}`,
      );
    }
    let at = parseInt(match[1], 16);
    const digits = match[2].replaceAll(" ", "");
    const needed = at + digits.length / 2;
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.max(needed, bytes.length * 2));
      larger.set(bytes);
      bytes = larger;
    }
    for (let i = 0; i < digits.length; i += 2) {
      bytes[at++] = parseInt(digits.substring(i, i + 2), 16);
    }
    if (at > end) end = at;
  }
  return bytes.slice(0, end);
}

/**
 * Writes bytes the way `xxd` does, 16 per line; of a run of all-zero lines only
 * the first is kept, followed by a `*`.
 */
export function formatHexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  let zeros = 0;
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, bytes.length));
    const last = at + 16 >= bytes.length;
    zeros = row.every((byte) => byte === 0) && !last ? zeros + 1 : 0;
    if (zeros === 2) lines.push("*");
    if (zeros >= 2) continue;
    lines.push(`${hex(at, 8)}: ${pairs(row)}  ${printable(row)}`);
  }
  return lines.join("\n") + "\n";
}

function pairs(row: Uint8Array): string {
  let text = "";
  row.forEach((byte, i) => {
    text += (i > 0 && i % 2 === 0 ? " " : "") + hex(byte, 2);
  });
  return text.padEnd(39);
}

function printable(row: Uint8Array): string {
  let text = "";
  for (const byte of row) {
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  }
  return text;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
