/**
 * Lines of `trace-cmd report`.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import {
  type EventColumns,
  KIND,
  type PageArena,
} from "../../ftrace/ring/columns.ts";
import { padBytes } from "../text/printf/printf_number.ts";
import { RecordBytes } from "../text/record.ts";
import { bprintText } from "./bprint_args.ts";
import { type EventHandler, eventHandlers, seconds } from "./event_handlers.ts";
import { EventText } from "./event_text.ts";
import { KnownComms } from "./known_comms.ts";
import type { TracecmdGuest } from "./tracecmd_guest.ts";

/** Two spaces for each level of the call graph; deeper ones are all alike. */
const MOST_INDENT = 1024;

/** An entry of the call graph that waits for the event after it. */
interface Waiting {
  readonly start: string;
  readonly pid: number;
  readonly lo: number;
  readonly hi: number;
  readonly depth: number;
}

/** Renders the events of one guest, in order of time. */
export class ReportText {
  readonly #guest: TracecmdGuest;
  readonly #comms: KnownComms;
  readonly #shown: (text: string) => string;
  readonly #texts = new Map<number, EventText | undefined>();
  readonly #handlers: ReadonlyMap<string, EventHandler>;
  readonly #bytes = new RecordBytes();
  readonly #stack: number;
  #waiting: Waiting | undefined;

  /** @param shown makes a text of the guest's part of a line of ours */
  constructor(
    guest: TracecmdGuest,
    shown: (text: string) => string = (text) => text,
  ) {
    this.#guest = guest;
    this.#shown = shown;
    this.#stack = guest.stackType;
    this.#comms = new KnownComms(guest.comms());
    this.#handlers = eventHandlers(guest, this.#comms);
  }

  /** The text of rows; an entry of the call graph may be held back. */
  rows(
    columns: EventColumns,
    arena: PageArena,
    from: number,
    to: number,
    prefix = "",
  ): string {
    let text = "";
    for (let row = from; row < to; row++) {
      const leaf = this.#leaf(columns, row);
      if (leaf !== undefined) {
        text += leaf;
        continue;
      }
      text += this.flush();
      this.#bytes.move(arena, columns.offset[row], columns.size[row]);
      text += this.#row(columns, row, prefix);
    }
    return text;
  }

  /** What was held back. */
  flush(): string {
    const waiting = this.#waiting;
    if (waiting === undefined) return "";
    this.#waiting = undefined;
    return `${waiting.start}             |  ${indent(waiting.depth)}${
      this.#function(waiting.lo, waiting.hi)
    }() {\n`;
  }

  /** A line for events that are missing. */
  lost(cpu: number, count: number): string {
    return `CPU:${cpu} [${count < 0 ? "" : `${count} `}EVENTS DROPPED]\n`;
  }

  /** The return of the call that waits makes one line with it. */
  #leaf(columns: EventColumns, row: number): string | undefined {
    const waiting = this.#waiting;
    if (
      waiting === undefined || columns.kind[row] !== KIND.return ||
      columns.pid[row] !== waiting.pid ||
      columns.func[2 * row] !== waiting.lo ||
      columns.func[2 * row + 1] !== waiting.hi
    ) return undefined;
    this.#waiting = undefined;
    return `${waiting.start}${durationText(columns.duration[row])}${
      indent(waiting.depth)
    }${this.#function(waiting.lo, waiting.hi)}();\n`;
  }

  #row(columns: EventColumns, row: number, prefix: string): string {
    const type = columns.type[row];
    const time = columns.timeAt(row);
    let text = this.#texts.get(type);
    if (text === undefined && !this.#texts.has(type)) {
      const event = this.#guest.event(type);
      text = event === undefined
        ? undefined
        : new EventText(event, this.#guest);
      this.#texts.set(type, text);
    }
    if (text === undefined) {
      const unknown = "[UNKNOWN EVENT]";
      return `${prefix}${unknown}${unknown} (NULL): ${
        " ".repeat(14)
      }${unknown}\n`;
    }
    const { event } = text;
    const pid = columns.pid[row];
    const name = this.#shown(event.name);
    const stamp = this.#guest.inNs
      ? ` ${seconds(time)}:`
      : `${String(BigInt.asUintN(64, time)).padStart(12)}:`;
    const start = `${prefix}${
      padBytes(this.#shown(this.#comms.find(pid)), 16)
    }-${decimal(pid).padEnd(5)} [${
      decimal(columns.cpu[row]).padStart(3, "0")
    }]${stamp} ${name}: ${" ".repeat(Math.max(0, 20 - name.length))}`;
    const kind = columns.kind[row];
    if (kind === KIND.entry) {
      this.#waiting = {
        start,
        pid,
        lo: columns.func[2 * row],
        hi: columns.func[2 * row + 1],
        depth: columns.depth[row],
      };
      return "";
    }
    if (kind === KIND.return) {
      return `${start}${durationText(columns.duration[row])}${
        indent(columns.depth[row])
      }}\n`;
    }
    const info = this.#info(text, columns.cpu[row], time);
    const lines = info.endsWith("\n") ? info.slice(0, -1) : info;
    // A stack has lines of ours; in other texts they are the guest's.
    const shown = columns.type[row] === this.#stack
      ? lines.split("\n").map(this.#shown).join("\n")
      : this.#shown(lines);
    return `${start}${shown}\n`;
  }

  #function(lo: number, hi: number): string {
    const address = BigInt(hi) << 32n | BigInt(lo);
    const found = this.#guest.function(address);
    return found === undefined ? address.toString(16) : this.#shown(found.name);
  }

  #info(text: EventText, cpu: number, time: bigint): string {
    const { event } = text;
    const bytes = this.#bytes;
    const handler = this.#handlers.get(`${event.system}:${event.name}`);
    const handled = handler?.({ event, bytes, cpu, time });
    if (handled !== undefined && handled.goesOn === undefined) {
      return handled.text;
    }
    const own = event.system === "ftrace" && event.name === "bprint"
      ? bprintText(bytes, this.#guest, text)
      : text.text(bytes);
    return (handled?.text ?? "") + own;
  }
}

function indent(depth: number): string {
  return "  ".repeat(Math.max(0, Math.min(MOST_INDENT, depth)));
}

/** Sign, time in µs, and the line behind them. */
function durationText(duration: number): string {
  const sign = duration > 1e9
    ? "$ "
    : duration > 1e6
    ? "# "
    : duration > 1e5
    ? "! "
    : duration > 1e4
    ? "+ "
    : "  ";
  const us = decimal(Math.floor(duration / 1000));
  const ns = decimal(duration % 1000).padStart(3, "0");
  const number = us.length < 7 ? `${us}.${ns}` : us;
  return `${sign}${number} us ${" ".repeat(Math.max(0, 7 - number.length))}|  `;
}
