/**
 * The fields of a stream's events, and how each one is read.
 *
 * @module
 */
import type { EventField, EventFormat } from "../../ftrace/events/formats.ts";
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
  fieldKind,
  isSigned,
  isWord,
} from "../../ftrace/events/field_kinds.ts";
import { integerAt, textAt, wordAt } from "../../ftrace/ring/field_values.ts";
import type { Selection, SyscallTarget } from "../../query/program.ts";

/** The current names of the guest's functions and threads. */
export interface GuestNames {
  /**
   * A function's name as used in scripts: `sys_openat`, `vfs_read`, `0x...`.
   */
  func(lo: number, hi: number): string;
  /** The name used in scripts for the function with the given symbol. */
  short(name: string): string;
  /** Whether the address is outside all known code. */
  foreign(lo: number, hi: number): boolean;
  /** The command name of a thread. */
  comm(pid: number): string;
}

/** What is needed to read a stream's fields. */
export interface StreamContext {
  readonly select: Selection;
  readonly names: GuestNames;
  /** The format of an event id, if known. */
  format(id: number): EventFormat | undefined;
  /** Offset of the return value in a graph return; -1 if there is none. */
  readonly graphRetval: number;
}

const TWO32 = 4294967296;
/**
 * Addresses as keys: a Number distinguishes all that differ in the low 53 bits.
 */
const key53 = (lo: number, hi: number) => (hi & 0x1fffff) * TWO32 + lo;

/** Gives access to the fields of a stream; each access is created once. */
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

/** The thread's name at that time, according to the module. */
function moduleComm(names: GuestNames): Access {
  const id = (frame: Frame, row: number) => frame.calls?.comm[row] ?? -1;
  return textByKey(
    "text",
    // Threads without a name from the module are distinguished by their ids.
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

/** An argument by name, since its index may differ from call to call. */
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

/** A field of events; several event types may have it. */
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
    return field === undefined ? 0 : wordAt(frame, row, field.offset + add);
  };
  switch (kind) {
    case "text":
      return {
        shape: "text",
        kind,
        at: (frame, row) => {
          const field = of(frame, row);
          return field === undefined ? undefined : textAt(frame, row, field);
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
        return field === undefined ? NaN : integerAt(frame, row, field);
      });
  }
}
