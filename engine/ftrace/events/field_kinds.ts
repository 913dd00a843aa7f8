/**
 * Determines the kind of value in a field from its C type and its name.
 *
 * @module
 */
import type { EventField, EventFormat } from "./formats.ts";

/**
 * The kind of a field's values: `duration` and `time` are in ns, `size` in
 * bytes; `function` is a kernel function's name, `address` a GVA or a user
 * address.
 */
export type FieldKind =
  | "number"
  | "duration"
  | "size"
  | "time"
  | "text"
  | "function"
  | "address";

/** Integer fields that hold the address of a kernel function. */
const FUNCTION_NAMES = new Set([
  "function",
  "func",
  "call_site",
  "callsite",
  "caller_ip",
  "caller",
  "parent_ip",
  "ip",
]);

/** Arguments of type `const char *` that are data, not strings. */
const DATA_NAMES = new Set(["buf", "ubuf", "u_msg_ptr", "msg", "uargs"]);

/** The kind of an event's field; `undefined` for arrays that are not text. */
export function eventFieldKind(
  field: Pick<EventField, "name" | "type" | "size">,
): FieldKind | undefined {
  const { type, name } = field;
  if (/\bchar\s*\[/.test(type)) return "text";
  if (type.includes("[")) return undefined;
  if (FUNCTION_NAMES.has(name) && field.size === 8) return "function";
  if (type.includes("*")) return "address";
  return field.size === 8 && /^(addr|address|vaddr|ptr|pfn)$/.test(name)
    ? "address"
    : "number";
}

/** The kind of a field of an event, including system-call events. */
export function fieldKind(
  format: EventFormat,
  field: EventField,
): FieldKind | undefined {
  const kind = eventFieldKind(field);
  // A user address, which never names a kernel function.
  return format.syscall !== undefined && kind === "function" ? "number" : kind;
}

/** The kind of a system call argument. */
export function argumentKind(name: string, type: string): FieldKind {
  // One asterisk: with two (argv), it is an array of pointers.
  if (/^const char\s*\*\s*$/.test(type.replace(/__user/g, "").trim())) {
    return DATA_NAMES.has(name) ? "address" : "text";
  }
  if (type.includes("*")) return "address";
  return /\bsize_t\b/.test(type) ? "size" : "number";
}

/** Whether an argument is a signed integer (`int`, `long`, `pid_t`). */
export function isSigned(type: string): boolean {
  return /^(int|long|short|pid_t|ssize_t|loff_t|off_t|key_serial_t|clockid_t|timer_t|const clockid_t|mqd_t|aio_context_t_t)$/
    .test(type.trim());
}

/** Whether an argument is 32 bits wide: its upper half is then undefined. */
export function isWord(type: string): boolean {
  return /^(unsigned )?(int|short)$|^(unsigned|u32|__u32|s32|__s32|umode_t|uid_t|gid_t|pid_t|qid_t|key_serial_t|clockid_t|const clockid_t|timer_t|mqd_t|rwf_t|uint32_t|int32_t)$/
    .test(type.trim());
}
