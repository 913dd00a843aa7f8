/**
 * Event formats from the text of `format` files, for tests; xftrace itself reads
 * them in the guest's memory.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import {
  declaration,
  type EventField,
  type EventFormat,
  type SyscallFormat,
} from "./formats.ts";

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
