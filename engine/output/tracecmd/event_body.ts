/**
 * Writes what follows an event's name in a line: by a handler, or by its
 * `print fmt`.
 *
 * @module
 */
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import type { DatEvent } from "../../tracedat/format_file.ts";
import type { TextRoom } from "../text/bytes/numbered_texts.ts";
import type { TextBuffer } from "../text/bytes/text_buffer.ts";
import type { RecordBytes } from "../text/record.ts";
import { bprintText } from "./bprint_args.ts";
import type { EventHandler, HandledRecord } from "./event_handlers.ts";
import type { EventText } from "./event_text.ts";
import { pieceWriters, type WriteBytes } from "./piece_bytes.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/**
 * Bytes of a body at most. An event is at most as long as a page; only a format
 * that was made for that prints more of it.
 */
export const MOST_BODY = 1 << 20;

/** An event for a handler; one object serves for all of its kind. */
class Handling implements HandledRecord {
  readonly event: DatEvent;
  readonly bytes: RecordBytes;
  columns: EventColumns | undefined;
  row = 0;

  constructor(event: DatEvent, bytes: RecordBytes) {
    this.event = event;
    this.bytes = bytes;
  }

  get cpu(): number {
    return this.columns?.cpu[this.row] ?? 0;
  }

  get time(): bigint {
    return this.columns?.timeAt(this.row) ?? 0n;
  }
}

/** Writes the bodies of one kind of event. */
export class EventBody {
  readonly #handler: EventHandler | undefined;
  readonly #event: DatEvent;
  readonly #own: WriteBytes;
  #handling: Handling | undefined;

  constructor(
    text: EventText,
    guest: TracecmdGuest,
    handler: EventHandler | undefined,
    room: TextRoom,
  ) {
    const { event } = text;
    this.#event = event;
    this.#handler = handler;
    this.#own = event.system === "ftrace" && event.name === "bprint"
      ? (out, bytes) => out.text(bprintText(bytes, guest, text))
      : ownWriter(text, guest, room);
  }

  /** Writes the body of a row, whose bytes are given. */
  write(
    out: TextBuffer,
    bytes: RecordBytes,
    columns: EventColumns,
    row: number,
  ): void {
    const end = out.length + MOST_BODY;
    this.#whole(out, bytes, columns, row);
    if (out.length <= end) return;
    out.length = end;
    out.text("[LINE TOO BIG]");
  }

  #whole(
    out: TextBuffer,
    bytes: RecordBytes,
    columns: EventColumns,
    row: number,
  ): void {
    if (this.#handler !== undefined) {
      if (this.#handling?.bytes !== bytes) {
        this.#handling = new Handling(this.#event, bytes);
      }
      this.#handling.columns = columns;
      this.#handling.row = row;
      const { text, goesOn } = this.#handler(this.#handling);
      out.text(text);
      if (goesOn === undefined) return;
    }
    this.#own(out, bytes);
  }
}

/** Writes an event by its `print fmt`. */
function ownWriter(
  text: EventText,
  guest: TracecmdGuest,
  room: TextRoom,
): WriteBytes {
  if (text.pieces === undefined) {
    return (out, bytes) => out.text(text.text(bytes));
  }
  const writes = pieceWriters(text.pieces, text, guest, room);
  return (out, bytes) => {
    const end = out.length + MOST_BODY;
    for (let i = 0; i < writes.length && out.length <= end; i++) {
      writes[i](out, bytes);
    }
  };
}
