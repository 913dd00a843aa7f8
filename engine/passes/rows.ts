/**
 * Copies rows of events from one set of columns to another.
 *
 * @module
 */
import { type EventColumns, KIND } from "../ftrace/ring/columns.ts";
import type { CallColumns } from "./fields/frame.ts";

/**
 * Appends an unchanged copy of a row of other columns that have the same epoch.
 *
 * @returns its number in `to`.
 */
export function appendRow(
  to: EventColumns,
  from: EventColumns,
  row: number,
): number {
  if (to.length === to.capacity) to.reserve(1);
  const at = to.length++;
  to.ts[at] = from.ts[row];
  to.cpu[at] = from.cpu[row];
  to.type[at] = from.type[row];
  to.pid[at] = from.pid[row];
  to.offset[at] = from.offset[row];
  to.size[at] = from.size[row];
  to.kind[at] = from.kind[row];
  to.func[2 * at] = from.func[2 * row];
  to.func[2 * at + 1] = from.func[2 * row + 1];
  to.depth[at] = from.depth[row];
  to.duration[at] = from.duration[row];
  return at;
}

/**
 * Appends a call that ended with a row of other columns: when and where it
 * ended, and its task. The caller must fill in the rest.
 *
 * @returns its number in `columns` and `calls`.
 */
export function beginCall(
  columns: EventColumns,
  calls: CallColumns,
  from: EventColumns,
  row: number,
): number {
  columns.reserve(1);
  const to = columns.length++;
  calls.reserve(columns.length);
  columns.ts[to] = from.ts[row];
  columns.cpu[to] = from.cpu[row];
  columns.type[to] = from.type[row];
  columns.pid[to] = from.pid[row];
  columns.offset[to] = from.offset[row];
  columns.size[to] = from.size[row];
  columns.kind[to] = KIND.return;
  return to;
}
