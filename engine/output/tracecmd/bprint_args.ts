/**
 * The text of `trace_printk` (the event `bprint`): its format is in the file,
 * and its arguments are packed in the entry (lib/vsprintf.c, bstr_printf).
 *
 * @module
 */
import type { RecordBytes } from "../text/record.ts";
import { type EventText, formatPieces } from "./event_text.ts";
import type { PrintArg } from "./print_args.ts";
import { readNumber } from "./print_values.ts";

/**
 * Fills in a format.
 *
 * @param ip the function that called trace_printk
 * @param buf where the arguments begin in the entry
 */
export function bprintText(
  format: string,
  ip: bigint,
  buf: number,
  bytes: RecordBytes,
  longSize: number,
  text: EventText,
): string {
  const args: PrintArg[] = [atom(ip)];
  let at = buf;
  const conversions = /%%|%([-+ #0-9.*hlLzZ]*)(p[A-Za-z]?|[a-zA-Z])/g;
  for (const [all, flags, type] of format.matchAll(conversions)) {
    if (all === "%%") continue;
    if (at >= bytes.size) break;
    const number = (size: number) => {
      at = (at + 3) & ~3;
      args.push(atom(readNumber(bytes, at, size)));
      at += size;
    };
    const string = () => {
      const value = bytes.string(at);
      args.push({ kind: "text", text: value });
      at += new TextEncoder().encode(value).length + 1;
    };
    for (const _ of flags.matchAll(/\*/g)) number(4);
    if (type === "s") {
      string();
      continue;
    }
    if (type[0] === "p") {
      const form = type[1] ?? "";
      const byte = bytes.u8(at);
      const printable = byte >= 0x20 && byte < 0x7f;
      // Other pointers were printed to text when they were recorded.
      if (form === "" || /[sSxfF]/.test(form) || !printable) number(longSize);
      else string();
      continue;
    }
    if (!/[duixXo]/.test(type)) continue;
    const longs = (flags.match(/[lzZ]/g)?.length ?? 0) +
      2 * (flags.match(/L/g)?.length ?? 0);
    number(longs === 0 ? 4 : longs === 1 ? longSize : 8);
  }
  return text.print(formatPieces(`%ps: ${format}`, args, longSize), bytes);
}

function atom(value: bigint): PrintArg {
  return { kind: "atom", text: String(value) };
}
