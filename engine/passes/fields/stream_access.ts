/**
 * The fields of one stream's events, and how each is read.
 *
 * @module
 */
import type { EventField, EventFormat } from "../../ftrace/events/formats.ts";
import { dynamicKind } from "../../ftrace/events/formats.ts";
import {
  type Access,
  type Accessor,
  COLUMN_FIELDS,
  numberBy,
  textByKey,
} from "./access.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { Frame } from "./frame.ts";
import {
  argumentKind,
  eventFieldKind,
  isSigned,
  isWord,
} from "../../query/kinds.ts";
import type { Selection, SyscallTarget } from "../../query/program.ts";

/** Names of the guest's things, as they are now. */
export interface GuestNames {
  /** A function as scripts name it: `sys_openat`, `vfs_read`, `0x...`. */
  func(lo: number, hi: number): string;
  /** Whether no known code lies there. */
  foreign(lo: number, hi: number): boolean;
  /** The command of a thread. */
  comm(pid: number): string;
}

/** What reading a stream's fields needs to know. */
export interface StreamContext {
  readonly select: Selection;
  readonly names: GuestNames;
  /** The format of an event id, if there is one. */
  format(id: number): EventFormat | undefined;
  /** Offset of the return value in a graph return; -1 without. */
  readonly graphRetval: number;
}

const TWO32 = 4294967296;
/** Addresses as keys: exact in a Number for all that differ in 53 bits. */
const key53 = (lo: number, hi: number) => (hi & 0x1fffff) * TWO32 + lo;

/** Gives access to the fields of a stream, making each once. */
export function streamAccess(context: StreamContext): Accessor {
  const known = new Map<string, Access | undefined>();
  return (path) => {
    if (!known.has(path)) known.set(path, makeAccess(path, context));
    return known.get(path);
  };
}

function makeAccess(path: string, context: StreamContext): Access | undefined {
  const { select, names } = context;
  const calls = select.via !== "events";
  if (path === "comm") {
    if (select.via === "module calls") return moduleComm(names);
    return textByKey(
      "text",
      (frame, row) => frame.columns.pid[row],
      (frame, row) => names.comm(frame.columns.pid[row]),
    );
  }
  if (path === "pid" || path === "cpu" || path === "ts") {
    return COLUMN_FIELDS[path];
  }
  if (!calls) return eventAccess(path, context);
  switch (path) {
    case "duration":
    case "depth":
      return COLUMN_FIELDS[path];
    case "func":
    case "name":
      return functionText(
        names,
        (frame, row) => frame.columns.func[2 * row],
        (frame, row) => frame.columns.func[2 * row + 1],
      );
    case "caller":
      return functionText(
        names,
        (frame, row) => frame.calls?.caller[2 * row] ?? 0,
        (frame, row) => frame.calls?.caller[2 * row + 1] ?? 0,
      );
    case "ret":
      return retAccess(context);
  }
  if (
    path.startsWith("args.") &&
    (select.via === "syscall events" || select.via === "module calls")
  ) {
    return argumentAccess(path.slice(5), select.calls);
  }
  return undefined;
}

/** The name that the thread had then, as the module says. */
function moduleComm(names: GuestNames): Access {
  const id = (frame: Frame, row: number) => frame.calls?.comm[row] ?? -1;
  return textByKey(
    "text",
    // Threads without a name of the module's are told apart by their ids.
    (frame, row) =>
      id(frame, row) >= 0 ? id(frame, row) : -2 - frame.columns.pid[row],
    (frame, row) =>
      frame.calls?.comms[id(frame, row)] ??
        names.comm(frame.columns.pid[row]),
  );
}

type Half = (frame: Frame, row: number) => number;

function functionText(names: GuestNames, lo: Half, hi: Half): Access {
  return textByKey(
    "function",
    (frame, row) => key53(lo(frame, row), hi(frame, row)),
    (frame, row) => {
      const l = lo(frame, row);
      const h = hi(frame, row);
      return l === 0 && h === 0 ? undefined : names.func(l, h);
    },
    (frame, row) => {
      const l = lo(frame, row);
      const h = hi(frame, row);
      return (l !== 0 || h !== 0) && names.foreign(l, h);
    },
  );
}

function retAccess(context: StreamContext): Access | undefined {
  if (context.select.via === "syscall events") {
    return numberBy("number", (frame, row) => frame.calls?.ret[row] ?? NaN);
  }
  const at = context.graphRetval;
  if (at < 0 || context.select.via === "module calls") return undefined;
  return numberBy("number", (frame, row) => {
    const { columns, arena } = frame;
    if (columns.size[row] < at + 8) return NaN;
    const word = (columns.offset[row] + at) >>> 2;
    return (arena.words[word + 1] | 0) * TWO32 + arena.words[word];
  });
}

/** An argument, by name: its place may differ from call to call. */
function argumentAccess(
  name: string,
  calls: readonly SyscallTarget[],
): Access | undefined {
  const index = calls.map((call) => call.args.indexOf(name));
  const types = calls.map((call, i) => call.types[index[i]] ?? "");
  const first = index.findIndex((i) => i >= 0);
  if (first < 0) return undefined;
  const kind = argumentKind(name, types[first]);
  const place = (frame: Frame, row: number): number => {
    const call = frame.calls?.call[row] ?? -1;
    return call < 0 ? -1 : index[call];
  };
  if (kind === "text") {
    return {
      shape: "text",
      kind,
      at: (frame, row) => {
        const i = place(frame, row);
        return i < 0 ? undefined : frame.calls?.texts[row]?.[i];
      },
    };
  }
  if (kind === "address") {
    const half = (add: number): Half => (frame, row) =>
      frame.calls?.args[12 * row + 2 * place(frame, row) + add] ?? 0;
    return {
      shape: "address",
      kind,
      has: (frame, row) => place(frame, row) >= 0,
      lo: half(0),
      hi: half(1),
    };
  }
  const signed = types.map(isSigned);
  const word = types.map(isWord);
  return numberBy(kind, (frame, row) => {
    const call = frame.calls?.call[row] ?? -1;
    const i = call < 0 ? -1 : index[call];
    if (i < 0 || frame.calls === undefined) return NaN;
    const lo = frame.calls.args[12 * row + 2 * i];
    const hi = frame.calls.args[12 * row + 2 * i + 1];
    if (word[call]) return signed[call] ? lo | 0 : lo;
    return (signed[call] ? hi | 0 : hi) * TWO32 + lo;
  });
}

/** An event's field; events of several types may have it. */
function eventAccess(
  path: string,
  context: StreamContext,
): Access | undefined {
  if (context.select.via !== "events") return undefined;
  if (path === "name") {
    return textByKey(
      "text",
      (frame, row) => frame.columns.type[row],
      (frame, row) => context.format(frame.columns.type[row])?.name,
    );
  }
  const name = path.startsWith("args.") ? path.slice(5) : path;
  const fields = new Map<number, EventField>();
  let kind: FieldKind | undefined;
  for (const id of context.select.ids) {
    const format = context.format(id);
    const found = format?.fields.find((each) => each.name === name);
    if (format === undefined || found === undefined) continue;
    const is = fieldKind(format, found);
    if (is === undefined || (kind !== undefined && kind !== is)) continue;
    kind = is;
    fields.set(id, found);
  }
  if (kind === undefined) return undefined;
  return fieldAccess(kind, fields, context.names);
}

/** The kind of an event's own field; of system calls' events too. */
export function fieldKind(
  format: EventFormat,
  field: EventField,
): FieldKind | undefined {
  const kind = eventFieldKind(field);
  // An address in the process's memory, whatever lies there.
  return format.syscall !== undefined && kind === "function" ? "number" : kind;
}

function fieldAccess(
  kind: FieldKind,
  fields: ReadonlyMap<number, EventField>,
  names: GuestNames,
): Access {
  const table: (EventField | undefined)[] = [];
  for (const [id, field] of fields) table[id] = field;
  const of = (frame: Frame, row: number) => table[frame.columns.type[row]];
  const half = (add: number): Half => (frame, row) => {
    const field = of(frame, row);
    return field === undefined ? 0 : word(frame, row, field.offset + add);
  };
  switch (kind) {
    case "text":
      return {
        shape: "text",
        kind,
        at: (frame, row) => {
          const field = of(frame, row);
          return field === undefined ? undefined : text(frame, row, field);
        },
      };
    case "function":
      return functionText(names, half(0), half(4));
    case "address":
      return {
        shape: "address",
        kind,
        has: (frame, row) => of(frame, row) !== undefined,
        lo: half(0),
        hi: half(4),
      };
    default:
      return numberBy(kind, (frame, row) => {
        const field = of(frame, row);
        return field === undefined ? NaN : integer(frame, row, field);
      });
  }
}

function word(frame: Frame, row: number, at: number): number {
  const { columns, arena } = frame;
  if (at + 4 > columns.size[row]) return 0;
  const start = columns.offset[row] + at;
  return (start & 3) === 0
    ? arena.words[start >>> 2]
    : arena.view.getUint32(start, true);
}

function integer(frame: Frame, row: number, field: EventField): number {
  const { columns, arena } = frame;
  if (field.offset + field.size > columns.size[row]) return NaN;
  const at = columns.offset[row] + field.offset;
  const { view } = arena;
  switch (field.size) {
    case 1:
      return field.signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return field.signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return field.signed ? view.getInt32(at, true) : view.getUint32(at, true);
    case 8: {
      const lo = view.getUint32(at, true);
      return field.signed
        ? view.getInt32(at + 4, true) * TWO32 + lo
        : view.getUint32(at + 4, true) * TWO32 + lo;
    }
    default:
      return NaN;
  }
}

const DECODER = new TextDecoder();

function text(frame: Frame, row: number, field: EventField): string {
  const { columns, arena } = frame;
  const size = columns.size[row];
  let at = field.offset;
  let length = field.size;
  const dynamic = dynamicKind(field);
  if (dynamic !== undefined) {
    const place = word(frame, row, at);
    length = place >>> 16;
    // A relative one counts from the end of the field.
    at = (place & 0xffff) + (dynamic === "rel_loc" ? at + 4 : 0);
  } else if (length === 0) length = size - at;
  const start = columns.offset[row] + at;
  const end = Math.min(columns.offset[row] + size, start + length);
  let out = "";
  const { bytes } = arena;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === 0) return out;
    if (byte >= 0x80) {
      let stop = i;
      while (stop < end && bytes[stop] !== 0) stop++;
      return DECODER.decode(bytes.slice(start, stop));
    }
    out += String.fromCharCode(byte);
  }
  return out;
}
