/**
 * Event formats: the kernel's description of an event's fields and of how it is
 * printed.
 *
 * @module
 */

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
  /**
   * What of the caller's memory is recorded; `undefined` on kernels that record
   * none.
   */
  readonly user?: SyscallUserData;
}

/**
 * Which arguments of a system call have what they point to in the record: for
 * each, in order, a `__data_loc` word follows the arguments
 * (include/trace/syscall.h of 7.2, struct syscall_metadata).
 */
export interface SyscallUserData {
  /** `user_mask`: bit i is set for argument i. */
  readonly mask: number;
  /** `user_arg_size`: the argument with the size of the data; -1: strings. */
  readonly sizeArgument: number;
  /** `user_arg_is_str`: the data is a string although there is a size. */
  readonly isString: boolean;
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
  /**
   * Set for an event probe: the event that it probes, as the kernel prints it
   * (`sched.sched_switch`).
   */
  readonly probed?: string;
}

/**
 * Splits a C declaration: `char comm[16]` is `comm` of type `char[16]`. The text
 * is the guest's, and may be long: each character is looked at once.
 */
export function declaration(text: string): { name: string; type: string } {
  const all = text.trim();
  let end = all.length;
  while (all[end - 1] === "]") {
    const open = all.lastIndexOf("[", end - 2);
    if (open < 0 || all.lastIndexOf("]", end - 2) > open) break;
    end = open;
  }
  let start = end;
  while (start > 0 && /\w/.test(all[start - 1])) start--;
  while (start < end && /\d/.test(all[start])) start++;
  if (start === end) return { name: all, type: "" };
  return {
    name: all.slice(start, end),
    type: all.slice(0, start).trim() + all.slice(end),
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
