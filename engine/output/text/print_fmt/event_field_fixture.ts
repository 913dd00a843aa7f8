/**
 * Fields of events, as tests declare them.
 *
 * @module
 */
import type { EventField } from "../../../ftrace/events/formats.ts";

/** A field at an offset, with its size in bytes. */
export function field(
  name: string,
  type: string,
  offset: number,
  size: number,
  signed = false,
): EventField {
  return { name, type, offset, size, signed };
}
