/**
 * The text of `trace_printk` (the event `bprint`): its format is in the file,
 * and its arguments are packed in the entry (lib/vsprintf.c, bstr_printf).
 *
 * @module
 */
import type { RecordBytes } from "../text/record.ts";
import { type EventText, formatPieces } from "./event_text.ts";
import type { PrintArg } from "./print_arg.ts";
import { readNumber } from "./print_values.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** The text of an entry: `function: message`. */
export function bprintText(
  bytes: RecordBytes,
  guest: TracecmdGuest,
  text: EventText,
): string {
  const { longSize, bigEndian } = guest;
  const field = (name: string) =>
    text.event.fields.find((each) => each.name === name);
  const fmt = field("fmt");
  const buf = field("buf");
  const caller = field("ip");
  if (fmt === undefined || buf === undefined || caller === undefined) return "";
  const address = readNumber(bytes, fmt.offset, fmt.size);
  const format = guest.text(address) ??
    `(NO FORMAT FOUND at ${address.toString(16)})\n`;
  const ip = readNumber(bytes, caller.offset, caller.size);
  const args: PrintArg[] = [atom(ip)];
  let at = buf.offset;
  const conversions = /%%|%([-+ #0-9.*hlLzZ]*)(p[A-Za-z]?|[a-zA-Z])/g;
  for (const [all, flags, type] of format.matchAll(conversions)) {
    if (all === "%%") continue;
    if (at >= bytes.size) break;
    const number = (size: number) => {
      at = (at + 3) & ~3;
      const value = readNumber(bytes, at, size);
      // These are words without a field, which are still as the guest had them.
      args.push(atom(bigEndian ? turned(value, size) : value));
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
  return text.print(formatPieces(`%ps: ${format}`, args).pieces, bytes);
}

function turned(value: bigint, size: number): bigint {
  let rest = value;
  let all = 0n;
  for (let i = 0; i < size; i++) {
    all = all << 8n | rest & 255n;
    rest >>= 8n;
  }
  return all;
}

function atom(value: bigint): PrintArg {
  return { kind: "atom", text: String(value) };
}
