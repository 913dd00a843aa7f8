/**
 * Reads fields of rows: whole columns for filters, single values for sinks and
 * for the script's functions.
 *
 * @module
 */
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { Frame } from "./frame.ts";

/** A field that contains numbers. */
export interface NumberAccess {
  readonly shape: "number";
  readonly kind: FieldKind;
  /**
   * Writes the field of the first `n` of `rows` to `out`; NaN where an event
   * does not have it.
   */
  load(frame: Frame, rows: Uint32Array, n: number, out: Float64Array): void;
  /** The field of one row. */
  at(frame: Frame, row: number): number;
}

/**
 * A field that contains 64-bit addresses, all bits of which are significant.
 */
export interface AddressAccess {
  readonly shape: "address";
  readonly kind: FieldKind;
  /** Whether the row has the field, so that the halves can be read. */
  has(frame: Frame, row: number): boolean;
  /** Low half of the value. */
  lo(frame: Frame, row: number): number;
  /** High half of the value. */
  hi(frame: Frame, row: number): number;
}

/** A field that contains texts. */
export interface TextAccess {
  readonly shape: "text";
  readonly kind: FieldKind;
  /** The text; `undefined` where an event does not have it. */
  at(frame: Frame, row: number): string | undefined;
  /**
   * A number that identifies the text within a batch: rows with the same number
   * have the same text. Without it, the text of each row must be examined.
   */
  readonly key?: (frame: Frame, row: number) => number;
  /** Whether the text names code outside the known kernel. */
  readonly foreign?: (frame: Frame, row: number) => boolean;
}

/** Access to a field. */
export type Access = NumberAccess | AddressAccess | TextAccess;

/**
 * Gives access to a stream's fields; `undefined` if the stream does not have
 * the field.
 */
export type Accessor = (path: string) => Access | undefined;

/** Access by means of a function of one row. */
export function numberBy(
  kind: FieldKind,
  at: (frame: Frame, row: number) => number,
): NumberAccess {
  return {
    shape: "number",
    kind,
    at,
    load(frame, rows, n, out) {
      for (let i = 0; i < n; i++) out[i] = at(frame, rows[i]);
    },
  };
}

// There is a loop for each array type, because a loop that meets several types
// is several times slower.

const duration: NumberAccess = {
  shape: "number",
  kind: "duration",
  at: (frame, row) => frame.columns.duration[row],
  load(frame, rows, n, out) {
    const column = frame.columns.duration;
    for (let i = 0; i < n; i++) out[i] = column[rows[i]];
  },
};

const pid: NumberAccess = {
  shape: "number",
  kind: "number",
  at: (frame, row) => frame.columns.pid[row],
  load(frame, rows, n, out) {
    const column = frame.columns.pid;
    for (let i = 0; i < n; i++) out[i] = column[rows[i]];
  },
};

const cpu: NumberAccess = {
  shape: "number",
  kind: "number",
  at: (frame, row) => frame.columns.cpu[row],
  load(frame, rows, n, out) {
    const column = frame.columns.cpu;
    for (let i = 0; i < n; i++) out[i] = column[rows[i]];
  },
};

const depth: NumberAccess = {
  shape: "number",
  kind: "number",
  at: (frame, row) => frame.columns.depth[row],
  load(frame, rows, n, out) {
    const column = frame.columns.depth;
    for (let i = 0; i < n; i++) out[i] = column[rows[i]];
  },
};

const base = (columns: EventColumns) => Number(columns.epoch);

const ts: NumberAccess = {
  shape: "number",
  kind: "time",
  at: (frame, row) => base(frame.columns) + frame.columns.ts[row],
  load(frame, rows, n, out) {
    const column = frame.columns.ts;
    const epoch = base(frame.columns);
    for (let i = 0; i < n; i++) out[i] = epoch + column[rows[i]];
  },
};

/** The columns that every frame has, as fields. */
export const COLUMN_FIELDS: Readonly<Record<string, NumberAccess>> = {
  duration,
  pid,
  cpu,
  depth,
  ts,
};

/** A text that is determined by a number, cached by that number. */
export function textByKey(
  kind: FieldKind,
  key: (frame: Frame, row: number) => number,
  text: (frame: Frame, row: number) => string | undefined,
  foreign?: (frame: Frame, row: number) => boolean,
): TextAccess {
  return {
    shape: "text",
    kind,
    key,
    at: text,
    ...(foreign === undefined ? {} : { foreign }),
  };
}
