/**
 * Renders system-call events, whose text does not follow their print_fmt
 * (kernel/trace/trace_syscalls.c, print_syscall_enter and _exit).
 *
 * @module
 */

import type { SyscallFormat } from "../../ftrace/events/formats.ts";
import type { RecordBytes } from "./record.ts";

/** Offset in the entry of the first argument, or of the return value. */
const VALUES = 16;

/**
 * A renderer of whole lines (including the newline) for a system call's event.
 *
 * @param verbose whether the arguments' types are shown (option `verbose`)
 */
export function syscallRenderer(
  syscall: SyscallFormat,
  verbose: boolean,
): (record: RecordBytes) => string {
  const { name, args, types } = syscall;
  if (syscall.exit) {
    return (record) => `${name} -> 0x${hex64(record, VALUES)}\n`;
  }
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

function hex64(record: RecordBytes, at: number): string {
  const hi = record.u32(at + 4);
  const lo = record.u32(at).toString(16);
  return hi === 0 ? lo : hi.toString(16) + lo.padStart(8, "0");
}
