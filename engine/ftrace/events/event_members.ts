/**
 * What a kernel must have for its events to be read: a member that is missing is
 * no damage, but a kernel that is not known.
 *
 * Source: include/linux/trace_events.h, include/trace/syscall.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";

/**
 * The members by which events are read. That one is missing is no damage of one
 * event: none of this kernel could be read.
 */
export const EVENT_MEMBERS: Members = {
  trace_event_call: ["list", "class", "name", "tp", "event.type", "flags"],
  trace_event_class: ["system"],
  tracepoint: ["name"],
};

/** The members by which the format of an event is read. */
export const FORMAT_MEMBERS: Members = {
  trace_event_call: ["print_fmt"],
  trace_event_class: ["fields"],
  ftrace_event_field: [
    "link",
    "name",
    "type",
    "filter_type",
    "offset",
    "size",
    "is_signed",
  ],
};

type Members = Readonly<Record<string, readonly string[]>>;

const SYSCALL_MEMBERS = ["name", "nb_args", "types", "args", "enter_fields"];

/**
 * What a kernel says that records strings of system calls: the members came
 * together (trace_syscalls.c of 7.2.13; 6.12 has none of them).
 */
export const USER_MEMBERS = [
  "user_mask",
  "user_arg_size",
  "user_arg_is_str",
] as const;

/**
 * Makes sure that a kernel has members.
 *
 * @throws {KernelError} when it lacks one of them.
 */
export function checkMembers({ types }: Kernel, all: Members): void {
  for (const [struct, members] of Object.entries(all)) {
    for (const member of members) types.offset(struct, member);
  }
}

/**
 * Makes sure that the events of system calls are kept in a known way.
 *
 * @throws {KernelError} when the events of system calls are not kept as in any
 * known kernel.
 */
export function checkSyscallTypes({ types, symbols }: Kernel): void {
  types.offset("trace_event_call", "data");
  for (const member of SYSCALL_MEMBERS) {
    types.offset("syscall_metadata", member);
  }
  const missing = USER_MEMBERS.filter((name) =>
    types.tryOffset("syscall_metadata", name) === undefined
  );
  if (missing.length > 0 && missing.length < USER_MEMBERS.length) {
    throw new KernelError(
      `this kernel's struct syscall_metadata has no ${
        missing.join(" and no ")
      }: what system-call events hold is not known to xftrace`,
    );
  }
  for (const name of ["enter", "exit"]) {
    if (symbols.tryAddress(`event_class_syscall_${name}`) === undefined) {
      throw new KernelError(
        "this kernel keeps the events of system calls where xftrace does not " +
          `know: it has no symbol event_class_syscall_${name}`,
      );
    }
  }
}
