/**
 * Event formats: the kernel's description of an event's fields and of how it is
 * printed, from any source (guest memory, a `format` file, the header of a
 * trace.dat).
 *
 * @module
 */

import { XftraceError } from "../../base/errors.ts";

/** A field of an event. */
export interface EventField {
  /** The plain name: `prev_comm`. */
  readonly name: string;
  /**
   * The C type: `char[16]`, `unsigned long`, `__data_loc char[]`. A dynamic
   * array's type starts with `__data_loc` or `__rel_loc`.
   */
  readonly type: string;
  /** Offset from the start of the `trace_entry`, in bytes. */
  readonly offset: number;
  /** Size in bytes; 4 for dynamic arrays, 0 for trailing flexible ones. */
  readonly size: number;
  /** Whether integers of this field are signed. */
  readonly signed: boolean;
  /**
   * `ftrace_event_field.filter_type` (`FILTER_*`), which a format file does not
   * contain.
   */
  readonly filterType?: number;
}

/** The system call behind a `sys_enter_*` or `sys_exit_*` event. */
export interface SyscallFormat {
  /** The kernel's name for it: `sys_openat`. */
  readonly name: string;
  /** Whether this is the exit event. */
  readonly exit: boolean;
  /** Names of the arguments, in order. */
  readonly args: readonly string[];
  /** C types of the arguments, in order. */
  readonly types: readonly string[];
}

/** An event's format. */
export interface EventFormat {
  /** `trace_entry.type` of its entries. */
  readonly id: number;
  /** The subsystem: `sched`. */
  readonly system: string;
  /** The event's name: `sched_switch`. */
  readonly name: string;
  /** Its fields, without the common ones (`common_type` ...). */
  readonly fields: readonly EventField[];
  /** The `print fmt`: a format string and its C arguments. */
  readonly printFmt: string;
  /** Set for system-call events, which are not printed by their print_fmt. */
  readonly syscall?: SyscallFormat;
}

/**
 * Parses the text of an event's `format` file.
 *
 * @param system the subsystem, which the file itself does not contain
 * @throws {XftraceError} when the text is not a format file.
 */
export function parseFormatFile(text: string, system: string): EventFormat {
  const name = /^name: (.*)$/m.exec(text)?.[1];
  const id = /^ID: (\d+)$/m.exec(text)?.[1];
  if (name === undefined || id === undefined) {
    throw new XftraceError(
      `this is not an event's format file (no "name:" or "ID:" line): ` +
        JSON.stringify(text.substring(0, 60)),
    );
  }
  const fields: EventField[] = [];
  const lines =
    /^\tfield:(.*);\toffset:(\d+);\tsize:(\d+);(?:\tsigned:(\d);)?/gm;
  for (const match of text.matchAll(lines)) {
    const field = declaration(match[1]);
    if (field.name.startsWith("common_")) continue;
    fields.push({
      ...field,
      offset: Number(match[2]),
      size: Number(match[3]),
      signed: match[4] === "1",
    });
  }
  const printFmt = /^print fmt: ([^]*)/m.exec(text)?.[1].trimEnd() ?? "";
  const format = { id: Number(id), system, name, fields, printFmt };
  const syscall = syscallOf(format);
  return syscall === undefined ? format : { ...format, syscall };
}

/** Splits a C declaration: `char comm[16]` is `comm` of type `char[16]`. */
export function declaration(text: string): { name: string; type: string } {
  const match = /^(.*?)\s*([A-Za-z_][A-Za-z0-9_]*)((?:\[[^\]]*\])*)$/.exec(
    text.trim(),
  );
  if (match === null) return { name: text.trim(), type: "" };
  return { name: match[2], type: match[1].trim() + match[3] };
}

/** Derives the system call from the fields of a system-call event. */
function syscallOf(format: EventFormat): SyscallFormat | undefined {
  if (format.system !== "syscalls") return undefined;
  const match = /^sys_(enter|exit)_(.+)$/.exec(format.name);
  if (match === null) return undefined;
  // The number comes first, then the arguments of 8 bytes each.
  const args = format.fields.filter((field) =>
    field.name !== "__syscall_nr" && field.offset >= 16
  );
  return {
    name: `sys_${match[2]}`,
    exit: match[1] === "exit",
    args: args.map((field) => field.name),
    types: args.map((field) => field.type),
  };
}

/**
 * Whether a field's bytes lie elsewhere in the entry, and how the field refers
 * to them.
 */
export function dynamicKind(
  field: EventField,
): "data_loc" | "rel_loc" | undefined {
  if (field.type.includes("__data_loc")) return "data_loc";
  if (field.type.includes("__rel_loc")) return "rel_loc";
  return undefined;
}
