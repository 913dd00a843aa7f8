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
import { openFlags } from "./open_flags.ts";
import type { RecordBytes } from "./record.ts";

/** Offset in the entry of the first argument, or of the return value. */
const VALUES = 16;

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
  const { syscall } = format;
  const { name } = syscall;
  if (syscall.exit) {
    return (record) => `${name} -> 0x${hex64(record, VALUES)}\n`;
  }
  return syscall.user === undefined
    ? plain(syscall, verbose)
    : (verbose ? undefined : decodedOpen(format, syscall.user)) ??
      withUserData(syscall, syscall.user, verbose);
}

/** Kernels that record the arguments alone: all in hexadecimal. */
function plain(
  { name, args, types }: SyscallFormat,
  verbose: boolean,
): SyscallText {
  const labels = args.map((arg, i) =>
    (i > 0 ? ", " : "") + (verbose ? `${types[i]} ` : "") + arg + ": "
  );
  return (record) => {
    let text = name + "(";
    for (let i = 0; i < labels.length; i++) {
      text += labels[i] + hex64(record, VALUES + 8 * i);
    }
    return text + ")\n";
  };
}

/** Kernels that also record strings and arrays. */
function withUserData(
  { name, args, types }: SyscallFormat,
  user: SyscallUserData,
  verbose: boolean,
): SyscallText {
  const labels = args.map((arg, i) =>
    (i > 0 ? ", " : "") + (verbose ? `${types[i]} ` : "") + arg + ": "
  );
  const strings = user.sizeArgument < 0 || user.isString;
  return (record) => {
    let text = name + "(";
    let word = VALUES + 8 * args.length;
    for (let i = 0; i < labels.length; i++) {
      const value = record.u64(VALUES + 8 * i);
      text += labels[i] + (value < 10n ? value : `0x${value.toString(16)}`);
      if ((user.mask >> i & 1) === 0) continue;
      const at = record.u16(word);
      const length = record.s32(word) >> 16;
      text += strings
        ? quoted(record, at, length)
        : array(record, at, length, user.sizeArgument);
      word += 4;
    }
    return text + ")\n";
  };
}

/** ` "text"`, as `%.*s` prints it: up to its NUL. */
function quoted(record: RecordBytes, at: number, length: number): string {
  return ` "${record.string(at, length)}"`;
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
): SyscallText | undefined {
  if (syscall.name !== "sys_openat" || syscall.args.length !== 4) {
    return undefined;
  }
  const flags = openFlags(printFmt);
  if (flags === undefined) return undefined;
  const { name, args } = syscall;
  return (record) => {
    let text = name + "(";
    let word = VALUES + 8 * args.length;
    for (let i = 0; i < 2; i++) {
      text += `${i > 0 ? ", " : ""}${args[i]}: ${record.u64(VALUES + 8 * i)}`;
      if ((user.mask >> i & 1) === 0) continue;
      const length = record.s32(word) >> 16;
      text += quoted(record, record.u16(word), length);
      word += 4;
    }
    const bits = record.s32(VALUES + 16);
    text += `, flags: ${flags.text(bits)}`;
    // The mode matters only to a file that is created.
    if ((bits & flags.creating) !== 0) {
      const mode = record.u32(VALUES + 24).toString(8).padStart(3, "0");
      text += `, ${args[3]}: 0${mode}`;
    }
    return text + ")\n";
  };
}

function hex64(record: RecordBytes, at: number): string {
  const hi = record.u32(at + 4);
  const lo = record.u32(at).toString(16);
  return hi === 0 ? lo : hi.toString(16) + lo.padStart(8, "0");
}
