/**
 * Renders system-call events, whose text does not follow their print_fmt
 * (kernel/trace/trace_syscalls.c, print_syscall_enter and _exit).
 *
 * @module
 */

import type {
  EventFormat,
  SyscallFormat,
  SyscallUserData,
} from "../../ftrace/events/formats.ts";
import { bytesText } from "./byte_text.ts";
import { KeptTexts } from "./bytes/kept_texts.ts";
import { TextBuffer } from "./bytes/text_buffer.ts";
import type { EntryWriter } from "./entries.ts";
import { openFlags } from "./open_flags.ts";
import type { RecordBytes } from "./record.ts";

/** Offset in the entry of the first argument, or of the return value. */
const VALUES = 16;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const ZERO = 0x30;

type SyscallText = (record: RecordBytes) => string;

/**
 * A renderer of whole lines (including the newline) for a system call's event.
 *
 * @param verbose whether the arguments' types are shown (option `verbose`)
 */
export function syscallRenderer(
  format: Pick<EventFormat, "printFmt"> & { readonly syscall: SyscallFormat },
  verbose: boolean,
): SyscallText {
  const write = syscallWriter(format, verbose);
  const out = new TextBuffer();
  return (record) => {
    out.length = 0;
    write(out, record, 0);
    return bytesText(out.written);
  };
}

/** The same as bytes. */
export function syscallWriter(
  format: Pick<EventFormat, "printFmt"> & { readonly syscall: SyscallFormat },
  verbose: boolean,
): EntryWriter {
  const { syscall } = format;
  if (syscall.exit) return exit(syscall);
  if (syscall.user === undefined) return plain(syscall, verbose);
  return (verbose ? undefined : decodedOpen(format, syscall.user)) ??
    withUserData(syscall, syscall.user, verbose);
}

function exit({ name }: SyscallFormat): EntryWriter {
  const texts = new KeptTexts();
  const lead = texts.add(`${name} -> 0x`);
  return (out, record) => {
    out.kept(texts, lead);
    out.hex64(record.u32(VALUES), record.u32(VALUES + 4));
    out.char(NEWLINE);
  };
}

/** What precedes each argument: `sys_openat(dfd: `, `, filename: `. */
function labels(
  { name, args, types }: SyscallFormat,
  verbose: boolean,
): string[] {
  return args.map((arg, i) =>
    (i > 0 ? ", " : `${name}(`) + (verbose ? `${types[i]} ` : "") + `${arg}: `
  );
}

/** Kernels that record the arguments alone: all in hexadecimal. */
function plain(syscall: SyscallFormat, verbose: boolean): EntryWriter {
  const texts = new KeptTexts();
  const places = labels(syscall, verbose).map((label) => texts.add(label));
  const end = texts.add(places.length === 0 ? `${syscall.name}()\n` : ")\n");
  return (out, record) => {
    for (let i = 0; i < places.length; i++) {
      out.kept(texts, places[i]);
      const at = VALUES + 8 * i;
      out.hex64(record.u32(at), record.u32(at + 4));
    }
    out.kept(texts, end);
  };
}

/** Kernels that also record strings and arrays. */
function withUserData(
  syscall: SyscallFormat,
  user: SyscallUserData,
  verbose: boolean,
): EntryWriter {
  const { name, args } = syscall;
  const texts = new KeptTexts();
  const places = labels(syscall, verbose).map((label) => texts.add(label));
  const end = texts.add(places.length === 0 ? `${name}()\n` : ")\n");
  const strings = user.sizeArgument < 0 || user.isString;
  return (out, record) => {
    let word = VALUES + 8 * args.length;
    for (let i = 0; i < places.length; i++) {
      out.kept(texts, places[i]);
      const argument = VALUES + 8 * i;
      const there = argument + 8 <= record.size;
      const lo = there ? record.u32(argument) : 0;
      const hi = there ? record.u32(argument + 4) : 0;
      if (hi !== 0 || lo >= 10) out.text("0x");
      out.hex64(lo, hi);
      if ((user.mask >> i & 1) === 0) continue;
      const at = record.u16(word);
      const length = record.s32(word) >> 16;
      if (strings) quoted(out, record, at, length);
      else out.text(array(record, at, length, user.sizeArgument));
      word += 4;
    }
    out.kept(texts, end);
  };
}

/** ` "text"`, as `%.*s` prints it: up to its NUL. */
function quoted(
  out: TextBuffer,
  record: RecordBytes,
  at: number,
  length: number,
): void {
  out.text(' "');
  record.writeString(out, at, length);
  out.char(QUOTE);
}

/** ` (68:69:00) "hi."`: the bytes, and if any can be printed, as text. */
function array(
  record: RecordBytes,
  at: number,
  length: number,
  sizeArgument: number,
): string {
  const size = record.s32(VALUES + 8 * sizeArgument);
  const count = Math.min(length, record.size);
  let bytes = "";
  let text = "";
  let printable = false;
  for (let i = 0; i < count; i++) {
    const byte = record.u8(at + i);
    const shown = byte >= 0x20 && byte < 0x7f;
    printable ||= shown;
    bytes += (i > 0 ? ":" : "") + byte.toString(16).padStart(2, "0");
    text += shown ? String.fromCharCode(byte) : ".";
  }
  const cut = length < size;
  const hex = ` (${bytes}${cut ? ", ..." : ""})`;
  return printable ? `${hex} "${text}"${cut ? "..." : ""}` : hex;
}

/**
 * openat, whose flags such kernels decode (sys_enter_openat_print). Whether a
 * kernel does is seen in the event's print_fmt, which has the same flags.
 */
function decodedOpen(
  { printFmt, syscall }: {
    readonly printFmt: string;
    readonly syscall: SyscallFormat;
  },
  user: SyscallUserData,
): EntryWriter | undefined {
  if (syscall.name !== "sys_openat" || syscall.args.length !== 4) {
    return undefined;
  }
  const flags = openFlags(printFmt);
  if (flags === undefined) return undefined;
  const { name, args } = syscall;
  return (out, record) => {
    out.text(`${name}(`);
    let word = VALUES + 8 * args.length;
    for (let i = 0; i < 2; i++) {
      out.text(`${i > 0 ? ", " : ""}${args[i]}: `);
      const at = VALUES + 8 * i;
      if (at + 8 > record.size) out.char(ZERO);
      else out.decimal64(record.u32(at), record.u32(at + 4));
      if ((user.mask >> i & 1) === 0) continue;
      const length = record.s32(word) >> 16;
      quoted(out, record, record.u16(word), length);
      word += 4;
    }
    const bits = record.s32(VALUES + 16);
    out.text(`, flags: ${flags.text(bits)}`);
    // The mode matters only to a file that is created.
    if ((bits & flags.creating) !== 0) {
      const mode = record.u32(VALUES + 24).toString(8).padStart(3, "0");
      out.text(`, ${args[3]}: 0${mode}`);
    }
    out.text(")\n");
  };
}
