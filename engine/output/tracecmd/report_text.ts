/**
 * Lines of `trace-cmd report`.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import { bytesText } from "../text/byte_text.ts";
import { KeptTexts } from "../text/bytes/kept_texts.ts";
import { type NumberedTexts, TextRoom } from "../text/bytes/numbered_texts.ts";
import { packed, type TextBuffer } from "../text/bytes/text_buffer.ts";
import { ClockText } from "../text/duration.ts";
import {
  type EventColumns,
  KIND,
  type PageArena,
} from "../../ftrace/ring/columns.ts";
import { padBytes } from "../text/printf/printf_number.ts";
import { RecordBytes } from "../text/record.ts";
import { eventHandlers, seconds } from "./event_handlers.ts";
import { EventText } from "./event_text.ts";
import { EventBody } from "./event_body.ts";
import { KnownComms } from "./known_comms.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Two spaces for each level of the call graph; deeper ones are all alike. */
const MOST_INDENT = 1024;
/** Below it, halves of times are those of positive numbers. */
const SIGN = 0x8000_0000;
/** Below it, ns are exact with what is added to them. */
const EXACT = 2 ** 52;
const NEWLINE = 0x0a;
const CLOSED = packed("}\n");
const LITERALS = new KeptTexts();
const FILL = LITERALS.add("             |  ");
const MICROSECONDS = packed(" us ");
const LINE = packed("|  ");

/** An entry of the call graph that waits for the event after it. */
interface Waiting {
  pid: number;
  lo: number;
  hi: number;
  depth: number;
}

/** What the lines of one kind of event consist of. */
interface Kind {
  /** The place in `#names` of what follows the time. */
  readonly name: number;
  readonly body: EventBody;
}

/** Renders the events of one guest, in order of time. */
export class ReportText {
  readonly #guest: TracecmdGuest;
  readonly #comms: KnownComms;
  readonly #shown: ((text: string) => string) | undefined;
  readonly #kinds = new Map<number, Kind | undefined>();
  readonly #handlers: ReturnType<typeof eventHandlers>;
  readonly #bytes = new RecordBytes();
  readonly #stack: number;
  readonly #names = new KeptTexts();
  /** For all texts that are kept. */
  readonly #room = new TextRoom();
  /** Names of functions, as a call and as a leaf. */
  readonly #calls = this.#room.table();
  readonly #leaves = this.#room.table();
  /** `%16s-%-5d [`, by pid, as long as no name has been added. */
  readonly #tasks = this.#room.table();
  #named = 0;
  readonly #cpus = this.#room.table();
  #clock = new ClockText(0n);
  #epoch: bigint | undefined;
  /** Whether an entry waits, the beginning of whose line is written. */
  #waits = false;
  readonly #waiting: Waiting = { pid: 0, lo: 0, hi: 0, depth: 0 };

  /** @param shown makes a text of the guest's part of a line of ours */
  constructor(guest: TracecmdGuest, shown?: (text: string) => string) {
    this.#guest = guest;
    this.#shown = shown;
    this.#stack = guest.stackType;
    this.#comms = new KnownComms(guest.comms());
    this.#handlers = eventHandlers(guest, this.#comms);
  }

  /** Whether the last line is not complete yet. */
  get waits(): boolean {
    return this.#waits;
  }

  /** Writes the text of a row; an entry of the call graph may be held back. */
  write(
    out: TextBuffer,
    columns: EventColumns,
    arena: PageArena,
    row: number,
    prefix = "",
  ): void {
    if (this.#waits) {
      if (this.#leaf(out, columns, row)) return;
      this.flush(out);
    }
    this.#bytes.move(arena, columns.offset[row], columns.size[row]);
    this.#row(out, columns, row, prefix);
  }

  /** Writes what was held back. */
  flush(out: TextBuffer): void {
    if (!this.#waits) return;
    this.#waits = false;
    const { lo, hi, depth } = this.#waiting;
    out.kept(LITERALS, FILL);
    indent(out, depth);
    this.#name(out, this.#calls, lo, hi, "() {\n");
  }

  /** A line for events that are missing. */
  lost(cpu: number, count: number): string {
    return `CPU:${cpu} [${count < 0 ? "" : `${count} `}EVENTS DROPPED]\n`;
  }

  /** The return of the call that waits makes one line with it. */
  #leaf(out: TextBuffer, columns: EventColumns, row: number): boolean {
    const { pid, lo, hi, depth } = this.#waiting;
    if (
      columns.kind[row] !== KIND.return || columns.pid[row] !== pid ||
      columns.func[2 * row] !== lo || columns.func[2 * row + 1] !== hi
    ) return false;
    this.#waits = false;
    duration(out, columns.duration[row]);
    indent(out, depth);
    this.#name(out, this.#leaves, lo, hi, "();\n");
    return true;
  }

  #kind(type: number): Kind | undefined {
    const event = this.#guest.event(type);
    if (event === undefined) return undefined;
    const text = new EventText(event, this.#guest);
    const handler = this.#handlers.get(`${event.system}:${event.name}`);
    const name = this.#show(event.name);
    return {
      name: this.#names.add(
        `: ${name}: ${" ".repeat(Math.max(0, 20 - name.length))}`,
      ),
      body: new EventBody(text, this.#guest, handler, this.#room),
    };
  }

  #row(
    out: TextBuffer,
    columns: EventColumns,
    row: number,
    prefix: string,
  ): void {
    const type = columns.type[row];
    let kind = this.#kinds.get(type);
    if (kind === undefined && !this.#kinds.has(type)) {
      kind = this.#kind(type);
      this.#kinds.set(type, kind);
    }
    if (prefix !== "") out.text(prefix);
    if (kind === undefined) {
      const unknown = "[UNKNOWN EVENT]";
      out.text(
        `${unknown}${unknown} (NULL): ${" ".repeat(14)}${unknown}\n`,
      );
      return;
    }
    this.#task(out, columns.pid[row]);
    this.#cpu(out, columns.cpu[row]);
    this.#time(out, columns, row);
    out.kept(this.#names, kind.name);
    switch (columns.kind[row]) {
      case KIND.entry: {
        this.#waits = true;
        const waiting = this.#waiting;
        waiting.pid = columns.pid[row];
        waiting.lo = columns.func[2 * row];
        waiting.hi = columns.func[2 * row + 1];
        waiting.depth = columns.depth[row];
        return;
      }
      case KIND.return:
        duration(out, columns.duration[row]);
        indent(out, columns.depth[row]);
        out.pair(CLOSED);
        return;
    }
    const start = out.length;
    kind.body.write(out, this.#bytes, columns, row);
    if (this.#shown !== undefined) this.#escape(out, start, type);
    if (out.length === start || out.bytes[out.length - 1] !== NEWLINE) {
      out.char(NEWLINE);
    }
  }

  /** Escapes what was written from a place on, but for the line end behind it. */
  #escape(out: TextBuffer, start: number, type: number): void {
    const text = bytesText(out.bytes.subarray(start, out.length));
    const lines = text.endsWith("\n") ? text.slice(0, -1) : text;
    out.length = start;
    // A stack has lines of ours; in other texts they are the guest's.
    out.text(
      type === this.#stack
        ? lines.split("\n").map((line) => this.#show(line)).join("\n")
        : this.#show(lines),
    );
    out.char(NEWLINE);
  }

  #show(text: string): string {
    return this.#shown === undefined ? text : this.#shown(text);
  }

  #task(out: TextBuffer, pid: number): void {
    const texts = this.#tasks;
    if (this.#named !== this.#comms.added) {
      this.#named = this.#comms.added;
      texts.clear();
    }
    const place = texts.find(pid, 0);
    if (place >= 0) {
      out.kept(texts, place);
      return;
    }
    const comm = padBytes(this.#show(this.#comms.find(pid)), 16);
    texts.write(out, pid, 0, `${comm}-${decimal(pid).padEnd(5)} [`);
  }

  #cpu(out: TextBuffer, cpu: number): void {
    const texts = this.#cpus;
    const place = texts.find(cpu, 0);
    if (place >= 0) out.kept(texts, place);
    else texts.write(out, cpu, 0, `${decimal(cpu).padStart(3, "0")}]`);
  }

  #time(out: TextBuffer, columns: EventColumns, row: number): void {
    const ts = columns.ts[row];
    if (
      this.#guest.inNs && ts >= 0 && ts < EXACT && columns.epochHi < SIGN
    ) {
      if (this.#epoch !== columns.epoch) {
        this.#epoch = columns.epoch;
        this.#clock = new ClockText(columns.epoch);
      }
      this.#clock.writeContext(out, ts);
      return;
    }
    const time = columns.timeAt(row);
    out.text(
      this.#guest.inNs
        ? ` ${seconds(time)}`
        : String(BigInt.asUintN(64, time)).padStart(12),
    );
  }

  /** A function's name, and what follows it. */
  #name(
    out: TextBuffer,
    texts: NumberedTexts,
    lo: number,
    hi: number,
    after: string,
  ): void {
    const place = texts.find(lo, hi);
    if (place >= 0) {
      out.kept(texts, place);
      return;
    }
    const address = BigInt(hi) << 32n | BigInt(lo);
    const found = this.#guest.function(address);
    const name = found === undefined
      ? address.toString(16)
      : this.#show(found.name);
    texts.write(out, lo, hi, name + after);
  }
}

function indent(out: TextBuffer, depth: number): void {
  out.spaces(2 * Math.min(MOST_INDENT, depth));
}

/** Sign, time in µs, and the line behind them. */
function duration(out: TextBuffer, ns: number): void {
  out.pair(
    ns > 1e9
      ? 0x2024
      : ns > 1e6
      ? 0x2023
      : ns > 1e5
      ? 0x2021
      : ns > 1e4
      ? 0x202b
      : 0x2020,
  );
  const us = Math.floor(ns / 1000);
  const before = out.length;
  out.decimal(us);
  if (out.length - before < 7) {
    out.char(0x2e);
    out.three(ns % 1000);
  }
  const printed = out.length - before;
  out.four(MICROSECONDS);
  out.spaces(7 - printed);
  out.four(LINE);
  out.length--;
}
