/**
 * Events as objects for the script's own functions: one object that is moved
 * from row to row, and copies for events that are kept.
 *
 * @module
 */
import type { Access, Accessor } from "./access.ts";
import type { FieldKind } from "../../query/expression.ts";
import type { Frame } from "./frame.ts";
import type { EventLike } from "../../query/spec.ts";

/** The value of a field as the script sees it. */
export function valueAt(
  access: Access,
  frame: Frame,
  row: number,
): number | string | bigint | undefined {
  switch (access.shape) {
    case "text":
      return access.at(frame, row);
    case "number": {
      const value = access.at(frame, row);
      return value === value ? value : undefined;
    }
    case "address":
      return access.has(frame, row)
        ? BigInt(access.hi(frame, row)) << 32n | BigInt(access.lo(frame, row))
        : undefined;
  }
}

/** An event object that can be moved from row to row. */
export class EventObject {
  /** The object itself; its content changes when it is moved. */
  readonly event: EventLike;
  #frame: Frame | undefined;
  #row = 0;
  readonly #fields: { path: string; access: Access }[] = [];

  constructor(fields: ReadonlyMap<string, FieldKind>, accessor: Accessor) {
    const event = {};
    const args = {};
    for (const path of fields.keys()) {
      const access = accessor(path);
      if (access === undefined) continue;
      this.#fields.push({ path, access });
      const own = path.startsWith("args.");
      Object.defineProperty(own ? args : event, own ? path.slice(5) : path, {
        enumerable: true,
        get: () =>
          this.#frame === undefined
            ? undefined
            : valueAt(access, this.#frame, this.#row),
      });
    }
    Object.defineProperty(event, "args", { enumerable: true, value: args });
    this.event = event;
  }

  /** Moves to a row and returns the object. */
  move(frame: Frame, row: number): EventLike {
    this.#frame = frame;
    this.#row = row;
    return this.event;
  }

  /**
   * A copy of the event at a row, without fields that the event does not have.
   */
  copy(frame: Frame, row: number): EventLike {
    const event: Record<string, unknown> = {};
    const args: Record<string, unknown> = {};
    for (const { path, access } of this.#fields) {
      const value = valueAt(access, frame, row);
      if (value === undefined) continue;
      if (path.startsWith("args.")) args[path.slice(5)] = value;
      else event[path] = value;
    }
    event.args = args;
    return event;
  }
}
