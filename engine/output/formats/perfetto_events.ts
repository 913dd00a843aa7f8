/**
 * Events as Perfetto's messages: the fields of its scheduling events, and
 * annotations for those of all others.
 *
 * @module
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { eventFieldKind, fieldKind } from "../../ftrace/events/field_kinds.ts";
import type { EventField, EventFormat } from "../../ftrace/events/formats.ts";
import {
  type EventRows,
  exactAt,
  textAt,
  wordAt,
} from "../../ftrace/ring/field_values.ts";
import type { TraceSource } from "../writer.ts";
import { recordedNames } from "../text/environment.ts";

/** Fields of an event that are shown. */
const MOST_FIELDS = 64;

/** Names that are numbered; a guest may invent any number of them. */
const MOST_NAMES = 1 << 20;
/** Fields of an annotation. */
export const ANNOTATION = {
  nameIid: 1,
  uint: 3,
  int: 4,
  string: 6,
  pointer: 7,
} as const;
/** Events of the scheduler, by name: the field of FtraceEvent. */
const SCHED: Readonly<Record<string, number>> = {
  sched_switch: 4,
  sched_wakeup: 17,
  sched_waking: 20,
  sched_wakeup_new: 114,
};
/** The members of these events in the schema, from 1 on, by their names. */
const SCHED_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  sched_switch: [
    "prev_comm",
    "prev_pid",
    "prev_prio",
    "prev_state",
    "next_comm",
    "next_pid",
    "next_prio",
  ],
  sched_wakeup: ["comm", "pid", "prio", "success", "target_cpu"],
  sched_waking: ["comm", "pid", "prio", "success", "target_cpu"],
  sched_wakeup_new: ["comm", "pid", "prio", "success", "target_cpu"],
};
/** The tag of a field: its number and how it is encoded (0: varint, 2: bytes). */
export function tag(field: number, wire: 0 | 2): number {
  return field << 3 | wire;
}

/** Names by number, each told once, before it is used. */
export class InternedNames {
  readonly #field: number;
  readonly #ids = new Map<string, number>();

  constructor(field: number) {
    this.#field = field;
  }

  /** The number of a name; writes it to `fresh` if it is new. */
  id(name: string, fresh: BinaryWriter[]): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    // The names after so many are all the same.
    const told = this.#ids.size < MOST_NAMES ? name : "...";
    const other = this.#ids.get(told);
    if (other !== undefined) return other;
    const id = this.#ids.size + 1;
    this.#ids.set(told, id);
    const entry = new BinaryWriter().uint32(tag(1, 0)).uint32(id)
      .uint32(tag(2, 2)).string(told);
    fresh.push(
      new BinaryWriter().uint32(tag(this.#field, 2)).bytes(entry.finish()),
    );
    return id;
  }
}

/** How a field is passed on. */
export type WriteField = (
  rows: EventRows,
  row: number,
  into: BinaryWriter,
) => void;

/** An event that is an instant on the track of its thread. */
export interface InstantKind {
  readonly name: string;
  readonly category: string;
  readonly fields: readonly {
    readonly name: string;
    readonly write: WriteField;
  }[];
}

/** An event of the scheduler. */
export interface SchedKind {
  readonly field: number;
  readonly members: readonly WriteField[];
}

/** How an event of a type is passed on; undefined if there is no format. */
export function eventKind(
  source: TraceSource,
  type: number,
): InstantKind | SchedKind | undefined {
  const { meta } = source;
  const format = meta.format(type);
  if (format === undefined) return undefined;
  const { system, name, fields } = format;
  if (system === "sched" && Object.hasOwn(SCHED, name)) {
    const members = SCHED_MEMBERS[name].flatMap((member, i) => {
      const field = fields.find((each) => each.name === member);
      return field === undefined ? [] : [schedMember(field, i + 1)];
    });
    return { field: SCHED[name], members };
  }
  return {
    name,
    category: system,
    fields: fields.slice(0, MOST_FIELDS).map((field) => ({
      name: field.name,
      write: annotation(format, field, meta),
    })),
  };
}

function schedMember(field: EventField, number: number): WriteField {
  if (field.type.includes("char")) {
    return (rows, row, into) => {
      into.uint32(tag(number, 2)).string(textAt(rows, row, field));
    };
  }
  return (rows, row, into) => {
    const value = exactAt(rows, row, field);
    if (value === value) into.uint32(tag(number, 0)).int64(BigInt(value));
  };
}

/** Writes the value of a field to its annotation. */
function annotation(
  format: EventFormat,
  field: EventField,
  meta: TraceSource["meta"],
): WriteField {
  const kind = fieldKind(format, field) ?? eventFieldKind(field);
  const { offset, size } = field;
  const word = (rows: EventRows, row: number) => {
    const lo = wordAt(rows, row, offset);
    return [lo, size === 8 ? wordAt(rows, row, offset + 4) : 0] as const;
  };
  if (kind === "text") {
    return (rows, row, into) => {
      into.uint32(tag(ANNOTATION.string, 2)).string(textAt(rows, row, field));
    };
  }
  if (kind === "function" && (size === 4 || size === 8)) {
    return (rows, row, into) => {
      into.uint32(tag(ANNOTATION.string, 2))
        .string(recordedNames(meta).ps(...word(rows, row)));
    };
  }
  if (kind === "address" && (size === 4 || size === 8)) {
    return (rows, row, into) => {
      const [lo, hi] = word(rows, row);
      into.uint32(tag(ANNOTATION.pointer, 0))
        .uint64(BigInt(hi) << 32n | BigInt(lo));
    };
  }
  if (
    [1, 2, 4, 8].includes(size) && !/\[|__(?:data|rel)_loc/.test(field.type)
  ) {
    return (rows, row, into) => {
      const value = exactAt(rows, row, field);
      // The entry is too short for the field.
      if (value !== value) {
        into.uint32(tag(ANNOTATION.string, 2)).string("");
      } else if (field.signed) {
        into.uint32(tag(ANNOTATION.int, 0)).int64(BigInt(value));
      } else into.uint32(tag(ANNOTATION.uint, 0)).uint64(BigInt(value));
    };
  }
  return (rows, row, into) => {
    into.uint32(tag(ANNOTATION.string, 2)).string(arrayText(rows, row, field));
  };
}

/** The bytes of an array or a struct, in hex. */
function arrayText(
  { columns, arena }: EventRows,
  row: number,
  field: EventField,
): string {
  const end = columns.size[row];
  let from = field.offset;
  let size = field.size === 0 ? end - from : field.size;
  if (/__(?:data|rel)_loc/.test(field.type) && field.offset + 4 <= end) {
    const place = arena.view.getUint32(columns.offset[row] + from, true);
    from = (place & 0xffff) +
      (field.type.includes("__rel_loc") ? field.offset + 4 : 0);
    size = place >>> 16;
  }
  const stop = Math.min(end, from + size, from + 256);
  let text = "";
  for (let at = from; at < stop; at++) {
    text += arena.bytes[columns.offset[row] + at].toString(16).padStart(2, "0");
  }
  return text;
}
