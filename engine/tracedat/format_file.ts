/**
 * Parses the `format` files of events, which a trace.dat contains as the guest
 * showed them (kernel/trace/trace_events.c, f_show).
 *
 * @module
 */
import { declaration, type EventFormat } from "../ftrace/events/formats.ts";

/** A field of an event, and what its declaration says about it. */
export interface DatField {
  readonly name: string;
  /** As declared, with brackets: `char[16]`, `__data_loc char[]`. */
  readonly type: string;
  /** Bytes from the start of the entry. */
  readonly offset: number;
  /** Bytes; 0 for what extends to the end of the entry. */
  readonly size: number;
  readonly signed: boolean;
  readonly array: boolean;
  /** Its bytes lie elsewhere in the entry. */
  readonly dynamic: boolean;
  /** The place of these counts from the end of the field. */
  readonly relative: boolean;
  readonly pointer: boolean;
  readonly long: boolean;
  /** An array of bytes. */
  readonly text: boolean;
  /** Bytes of an element of an array; of other fields, their size. */
  readonly element: number;
}

/** An event. */
export interface DatEvent {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  /** The fields that all events have. */
  readonly common: readonly DatField[];
  /** Its own fields. */
  readonly fields: readonly DatField[];
  /** The `print fmt`, a C string and its arguments. */
  readonly printFmt: string;
}

/** Fields of one event. */
const MOST_FIELDS = 512;

const FIELD =
  /^\s*field(?:\s+special)?\s*:([^;]*);\s*offset:(\d{1,9});\s*size:(\d{1,9});(?:\s*signed:(\d);)?\s*$/;

/** Sizes of the types of which dynamic arrays are made. */
const TYPE_SIZES: Readonly<Record<string, number>> = {
  u8: 1,
  s8: 1,
  char: 1,
  u16: 2,
  s16: 2,
  u32: 4,
  s32: 4,
  u64: 8,
  s64: 8,
};

/**
 * Parses one file.
 *
 * @param longSize bytes of the guest kernel's `long`
 * @returns undefined when it is none
 */
export function parseFormatFile(
  text: string,
  system: string,
  longSize: number,
): DatEvent | undefined {
  const name = /^name:\s*(\S+)/m.exec(text)?.[1];
  const id = /^ID:\s*(\d{1,9})/m.exec(text)?.[1];
  const start = /^format:.*\n/m.exec(text);
  if (name === undefined || id === undefined || start === null) {
    return undefined;
  }
  const common: DatField[] = [];
  const fields: DatField[] = [];
  const lines = text.slice(start.index + start[0].length).split("\n");
  // The common fields end at the first empty line, the others at the second.
  let into = common;
  for (const line of lines) {
    if (line.trim() === "") {
      if (into === fields) break;
      into = fields;
      continue;
    }
    const parts = FIELD.exec(line);
    if (parts === null || into.length >= MOST_FIELDS) break;
    into.push(fieldOf(parts, longSize));
  }
  const print = text.indexOf("print fmt:");
  return {
    id: Number(id),
    system,
    name,
    common,
    fields,
    printFmt: print < 0 ? "" : text.slice(print + "print fmt:".length).trim(),
  };
}

function fieldOf(parts: RegExpExecArray, longSize: number): DatField {
  const [, declared, offset, bytes, signed] = parts;
  // `type[] name` is how dynamic arrays are declared.
  const dynamicForm = /^(.*\[[^\]]*\])\s*(\w+)\s*$/.exec(declared);
  const { name, type } = dynamicForm === null
    ? declaration(declared)
    : { name: dynamicForm[2], type: dynamicForm[1].trim() };
  const size = Number(bytes);
  const array = type.includes("[");
  const relative = type.startsWith("__rel_loc");
  const dynamic = relative || type.startsWith("__data_loc");
  const long = type.includes("long");
  const text = (array && /char|u8|s8/.test(type)) || (dynamic && size === 2);
  const count = Number(/(\d+)\s*\]$/.exec(type)?.[1] ?? 0);
  const of = type.replace(/\s*\[.*/, "").split(/\s+/).at(-1) ?? "";
  const element = !array && !dynamic
    ? size
    : count > 0
    ? Math.floor(size / count)
    : dynamic
    ? TYPE_SIZES[of] ?? 0
    : text
    ? 1
    : long
    ? longSize
    : 0;
  return {
    name,
    type,
    offset: Number(offset),
    size,
    signed: signed === "1",
    array: array || (dynamic && size === 2),
    dynamic,
    relative,
    pointer: type.includes("*"),
    long,
    text,
    element,
  };
}

/**
 * The event as the rest of the engine describes events.
 *
 * @example
 * ```ts ignore
 * import { DatTrace, eventFormat } from "xftrace/ftrace";
 *
 * using trace = DatTrace.open("trace.dat");
 * for (const event of trace.header.events) console.log(eventFormat(event).name);
 * ```
 */
export function eventFormat(event: DatEvent): EventFormat {
  const { id, system, name, printFmt } = event;
  const fields = event.fields.map(({ name, type, offset, size, signed }) => ({
    name,
    type,
    offset,
    size,
    signed,
  }));
  const call = /^sys_(enter|exit)_(\w+)$/.exec(name);
  if (system !== "syscalls" || call === null) {
    return { id, system, name, fields, printFmt };
  }
  const args = call[1] === "exit"
    ? []
    : event.fields.filter((field) => !field.name.startsWith("__"));
  return {
    id,
    system,
    name,
    fields,
    printFmt,
    syscall: {
      name: `sys_${call[2]}`,
      exit: call[1] === "exit",
      args: args.map((field) => field.name),
      types: args.map((field) => field.type),
    },
  };
}

/** The common fields that kernels have had since 2.6.31, but for one. */
const COMMON_TEXT = [
  "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;",
  "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;",
  "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;",
  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;",
];

/** What is written of a field. */
type WrittenField = Pick<
  DatField,
  "name" | "type" | "offset" | "size" | "signed"
>;

/**
 * The `format` file of an event, as the guest shows it.
 *
 * @param common its common fields; default: those of all known kernels
 */
export function formatFileText(
  event: EventFormat,
  common?: readonly WrittenField[],
): string {
  const lines = (fields: readonly WrittenField[]) => fields.map(fieldLine);
  return [
    `name: ${event.name}`,
    `ID: ${event.id}`,
    "format:",
    ...(common === undefined ? COMMON_TEXT : lines(common)),
    "",
    ...lines(event.fields),
    "",
    `print fmt: ${event.printFmt}`,
    "",
  ].join("\n");
}

/** trace_events.c, f_show: brackets stand behind the name. */
function fieldLine({ name, type, offset, size, signed }: WrittenField): string {
  const bracket = type.indexOf("[");
  const declared = bracket < 0 || /^__(?:data|rel)_loc/.test(type)
    ? `${type} ${name}`
    : `${type.slice(0, bracket).trimEnd()} ${name}${type.slice(bracket)}`;
  return `\tfield:${declared};\toffset:${offset};\tsize:${size};\tsigned:${
    signed ? 1 : 0
  };`;
}
