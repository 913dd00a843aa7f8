/**
 * The format `jsonl`: a line of JSON for each event, with its fields by name;
 * losses are lines too. The lines are described in docs/json.md.
 *
 * @module
 */
import { decimal } from "../../base/decimal.ts";
import { shownJson } from "../../base/shown.ts";
import {
  eventFieldKind,
  type FieldKind,
  fieldKind,
  isSigned,
  isWord,
} from "../../ftrace/events/field_kinds.ts";
import {
  dynamicKind,
  type EventField,
  type EventFormat,
} from "../../ftrace/events/formats.ts";
import { type EventColumns, KIND } from "../../ftrace/ring/columns.ts";
import {
  arrayAt,
  type EventRows,
  exactAt,
  textAt,
  wordAt,
} from "../../ftrace/ring/field_values.ts";
import { StandardEntries } from "../text/entries.ts";
import { RecordBytes } from "../text/record.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";
import { recordedNames } from "../text/environment.ts";

/** Text is passed on in chunks of about this many characters. */
const CHUNK = 8192;
/** Names that are kept; a guest may invent any number of threads. */
const MOST_KEPT = 1 << 16;
/** A stack ends with ULONG_MAX: this is each half of it. */
const END_OF_STACK = 0xffffffff;

/** Events as lines of JSON. */
export const JSONL: TraceFormat = {
  name: "jsonl",
  about: "a line of JSON for each event",
  writer: (sink) => new JsonLinesWriter(sink),
};

class JsonLinesWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, GuestLines>();
  #chunk = "";

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      // With several guests, each line names its guest.
      const whose = sources.length > 1
        ? `"target":${textJson(source.target ?? null)},`
        : "";
      this.#guests.set(source, new GuestLines(source, whose));
      this.#chunk += sealLine(source) + clockLine(source);
    }
  }

  events(run: EventRun): void {
    const guest = this.#guests.get(run.source)!;
    let chunk = this.#chunk;
    for (let row = run.from; row < run.to; row++) {
      chunk += guest.line(run, row);
      if (chunk.length < CHUNK) continue;
      this.#sink(chunk);
      chunk = "";
    }
    this.#chunk = chunk;
  }

  lost({ source, cpu, count, before }: Loss): void {
    const { whose } = this.#guests.get(source)!;
    this.#chunk += `{${whose}"lost":${
      count < 0 ? null : count
    },"cpu":${cpu},"before":${before}}\n`;
  }

  refresh(): void {
    for (const guest of this.#guests.values()) guest.refresh();
  }

  flush(): void {
    if (this.#chunk !== "") this.#sink(this.#chunk);
    this.#chunk = "";
  }

  end(): void {
    this.flush();
  }
}

/** What is said of a source's seal; its events are all verified. */
function sealLine({ target, seal }: TraceSource): string {
  if (seal === undefined) return "";
  return `{"target":${textJson(target ?? null)},"seal":${
    textJson(seal.kind)
  },"verdict":${textJson(seal.text)}}\n`;
}

/** How well the times of a guest are known that shares a time line. */
function clockLine({ target, aligned }: TraceSource): string {
  if (aligned === undefined) return "";
  const { clock, errorNs, torn } = aligned;
  const spans = torn.map(({ from, until, errorNs }) =>
    `{"from":${from},"until":${until},"errorNs":${errorNs}}`
  );
  return `{"target":${textJson(target ?? null)},"clock":${
    textJson(clock)
  },"errorNs":${errorNs},"torn":[${spans}]}\n`;
}

/** Writes the JSON of an event from its name on, without the closing brace. */
type Rest = (rows: EventRows, row: number) => string;
/** Writes the JSON of one value. */
type Value = (rows: EventRows, row: number) => string;

/** How {@linkcode GuestLines.rest} begins, and goes on after the name. */
const NAME = '"name":';
const FIELDS = ',"fields":';

/** Writes the lines of one guest. */
export class GuestLines {
  /** The JSON with which each of its lines begins, to name the guest. */
  readonly whose: string;
  readonly #source: TraceSource;
  readonly #entries: StandardEntries;
  readonly #record = new RecordBytes();
  readonly #comms = new Map<number, string>();
  readonly #names = new Map<string, string>();
  readonly #events = new Map<number, Rest>();
  /** Names of events, by their JSON. */
  readonly #parsed = new Map<string, string | null>();

  constructor(source: TraceSource, whose: string) {
    this.#source = source;
    this.whose = whose;
    const { meta, options } = source;
    const env = { ...meta, hashPointers: options.hashPtr };
    this.#entries = new StandardEntries(meta, options, env);
  }

  /** Discards the names of threads, so that they are read again. */
  refresh(): void {
    this.#comms.clear();
  }

  /** The line of an event. */
  line(rows: EventRows, row: number): string {
    const { columns } = rows;
    const pid = columns.pid[row];
    return `{${this.whose}"ts":${time(columns, row)},"cpu":${
      columns.cpu[row]
    },"pid":${decimal(pid)},"comm":${this.#comm(pid)},${
      this.rest(rows, row)
    }}\n`;
  }

  #comm(pid: number): string {
    let text = this.#comms.get(pid);
    if (text === undefined) {
      const comm = pid === 0 ? "<idle>" : this.#source.meta.comm(pid);
      text = textJson(comm ?? null);
      if (this.#comms.size >= MOST_KEPT) this.#comms.clear();
      this.#comms.set(pid, text);
    }
    return text;
  }

  /** A function's name, or `0x...` if it has none. */
  #function(lo: number, hi: number): string {
    const name = recordedNames(this.#source.meta).ps(lo, hi);
    let text = this.#names.get(name);
    if (text === undefined) {
      text = textJson(name);
      if (this.#names.size >= MOST_KEPT) this.#names.clear();
      this.#names.set(name, text);
    }
    return text;
  }

  /** An event's name (`null` if it is not known), and its fields as JSON. */
  parts(rows: EventRows, row: number): { name: string | null; fields: string } {
    const rest = this.rest(rows, row);
    // Nothing in a name looks like this: a quote in it is escaped.
    const split = rest.indexOf(FIELDS);
    const quoted = rest.slice(NAME.length, split);
    let name = this.#parsed.get(quoted);
    if (name === undefined) {
      name = JSON.parse(quoted) as string | null;
      this.#parsed.set(quoted, name);
    }
    return { name, fields: rest.slice(split + FIELDS.length) };
  }

  /** An event's name and fields: `"name":"...","fields":{...}`. */
  rest(rows: EventRows, row: number): string {
    const { kind, type } = rows.columns;
    if (kind[row] === KIND.return) return this.#return(rows, row);
    if (kind[row] !== KIND.other) return this.#entry(rows, row);
    let rest = this.#events.get(type[row]);
    if (rest === undefined) {
      rest = this.#restOf(type[row]);
      this.#events.set(type[row], rest);
    }
    return rest(rows, row);
  }

  #entry(rows: EventRows, row: number): string {
    const { func, depth, kind, size } = rows.columns;
    const { args, retaddr } = this.#source.meta.layout.graphEntry;
    let more = "";
    let first = args;
    if (kind[row] === KIND.entryRetaddr && retaddr >= 0) {
      const lo = wordAt(rows, row, retaddr);
      const hi = wordAt(rows, row, retaddr + 4);
      more += `,"retaddr":${this.#function(lo, hi)}`;
      // The return address precedes the arguments, if both are recorded.
      if (retaddr === args) first += 8;
    }
    if (first >= 0 && first < size[row]) {
      const words: string[] = [];
      for (let at = first; at + 8 <= size[row]; at += 8) {
        words.push(hex(wordAt(rows, row, at), wordAt(rows, row, at + 4)));
      }
      more += `,"args":[${words.join(",")}]`;
    }
    return `"name":"funcgraph_entry","fields":{"func":${
      this.#function(func[2 * row], func[2 * row + 1])
    },"depth":${depth[row]}${more}}`;
  }

  #return(rows: EventRows, row: number): string {
    const { func, depth, duration } = rows.columns;
    const { retval } = this.#source.meta.layout.graphReturn;
    const more = retval < 0
      ? ""
      : `,"retval":${
        signed(wordAt(rows, row, retval), wordAt(rows, row, retval + 4))
      }`;
    return `"name":"funcgraph_exit","fields":{"func":${
      this.#function(func[2 * row], func[2 * row + 1])
    },"depth":${depth[row]},"duration":${decimal(duration[row])}${more}}`;
  }

  #restOf(type: number): Rest {
    const { meta } = this.#source;
    const { types } = meta.layout;
    const entries = this.#entries;
    const read = this.#source.file?.message;
    if (read !== undefined && (type === types.bprint || type === types.bputs)) {
      const name = type === types.bprint ? "bprint" : "bputs";
      return this.#message(name, read);
    }
    if (type === types.print) {
      return this.#message("print", (record) => entries.printMessage(record));
    }
    if (type === types.bprint) {
      return this.#message("bprint", (record) => entries.bprintMessage(record));
    }
    if (type === types.bputs) {
      return this.#message("bputs", (record) => entries.bputsMessage(record));
    }
    if (type === types.stack) return this.#stack();
    const format = meta.format(type);
    return format === undefined ? unknown(type) : this.#byFormat(format);
  }

  /** The text that `trace_printk` or `trace_marker` wrote. */
  #message(name: string, read: (record: RecordBytes) => string): Rest {
    return ({ columns, arena }, row) => {
      this.#record.move(arena, columns.offset[row], columns.size[row]);
      const message = read(this.#record).replace(/\n$/, "");
      return `"name":"${name}","fields":{"msg":${textJson(message)}}`;
    };
  }

  #stack(): Rest {
    const { caller } = this.#source.meta.layout.stack;
    const size = this.#source.file?.longSize ?? 8;
    return (rows, row) => {
      const callers: string[] = [];
      for (let at = caller; at + size <= rows.columns.size[row]; at += size) {
        const lo = wordAt(rows, row, at);
        const hi = size === 8 ? wordAt(rows, row, at + 4) : 0;
        const last = lo === END_OF_STACK && (size === 4 || hi === lo);
        if (last) break;
        callers.push(this.#function(lo, hi));
      }
      return `"name":"kernel_stack","fields":{"caller":[${callers.join(",")}]}`;
    };
  }

  #byFormat(format: EventFormat): Rest {
    const name = `"name":${textJson(format.name)},"fields":{`;
    const fields = format.fields.map((field, i): Value => {
      const label = `${i === 0 ? "" : ","}${textJson(field.name)}:`;
      const value = this.#value(
        format.syscall === undefined ? field : argument(field),
        fieldKind(format, field),
      );
      return (rows, row) => label + value(rows, row);
    });
    return (rows, row) => {
      let text = name;
      for (const field of fields) text += field(rows, row);
      return `${text}}`;
    };
  }

  #value(field: EventField, kind: FieldKind | undefined): Value {
    const { offset } = field;
    if (field.size === 4 && (kind === "function" || kind === "address")) {
      // A guest of 32 bits, in a trace.dat.
      return (rows, row) =>
        offset + 4 > rows.columns.size[row]
          ? "null"
          : kind === "function"
          ? this.#function(wordAt(rows, row, offset), 0)
          : hex(wordAt(rows, row, offset), 0);
    }
    switch (kind) {
      case "text":
        return (rows, row) => textJson(textAt(rows, row, field));
      case "function":
        return (rows, row) =>
          offset + 8 > rows.columns.size[row] ? "null" : this.#function(
            wordAt(rows, row, offset),
            wordAt(rows, row, offset + 4),
          );
      case "address":
        return (rows, row) =>
          offset + 8 > rows.columns.size[row]
            ? "null"
            : hex(wordAt(rows, row, offset), wordAt(rows, row, offset + 4));
      case undefined:
        return this.#array(field);
      default:
        // A struct's bytes are not a number.
        return [1, 2, 4, 8].includes(field.size)
          ? (rows, row) => number(exactAt(rows, row, field))
          : this.#array({ ...field, signed: false }, 1);
    }
  }

  #array(field: EventField, size = elementSize(field)): Value {
    const type = field.type.replace(/\[.*/, "");
    const names = eventFieldKind({ ...field, type, size }) === "function";
    return (rows, row) => {
      const values = arrayAt(rows, row, field, size).map((value) => {
        if (!names) return number(value);
        const address = BigInt.asUintN(64, BigInt(value));
        return this.#function(
          Number(address & 0xffffffffn),
          Number(address >> 32n),
        );
      });
      return `[${values.join(",")}]`;
    };
  }
}

/** A text of the guest's as a JSON string. */
function textJson(text: string | null): string {
  return shownJson(JSON.stringify(text));
}

/** Shows the bytes of an event without a format, except the common ones. */
function unknown(type: number): Rest {
  const bytes: EventField = {
    name: "bytes",
    type: "u8[]",
    offset: 8,
    size: 0,
    signed: false,
  };
  return (rows, row) =>
    `"name":null,"fields":{"type":${type},"bytes":[${
      arrayAt(rows, row, bytes, 1).join(",")
    }]}`;
}

/**
 * Each argument of a system call takes eight bytes, of which an int uses only
 * the first four.
 */
function argument(field: EventField): EventField {
  const { type, size } = field;
  if (size !== 8) return field;
  return { ...field, size: isWord(type) ? 4 : 8, signed: isSigned(type) };
}

/** Size of an array's element in bytes, from the array's size or its C type. */
function elementSize(field: EventField): number {
  const count = Number(/\[(\d+)\]/.exec(field.type)?.[1] ?? 0);
  const size = dynamicKind(field) === undefined && count > 0
    ? field.size / count
    : typeSize(field.type.replace(/\[.*/, ""));
  return [1, 2, 4, 8].includes(size) ? size : 1;
}

function typeSize(type: string): number {
  if (/64|long|\*|size_t|loff_t|cpumask/.test(type)) return 8;
  if (/16|short/.test(type)) return 2;
  return /u8|s8|char|bool|struct/.test(type) ? 1 : 4;
}

/** Time stamps are exact, even those that a Number cannot hold. */
function time(columns: EventColumns, row: number): string {
  const ns = Number(columns.epoch) + columns.ts[row];
  return Number.isSafeInteger(ns) ? decimal(ns) : String(columns.timeAt(row));
}

function number(value: number | bigint): string {
  return value !== value
    ? "null"
    : typeof value === "number"
    ? decimal(value)
    : String(value);
}

/** An address as a JSON string. */
function hex(lo: number, hi: number): string {
  return hi === 0
    ? `"0x${lo.toString(16)}"`
    : `"0x${hi.toString(16)}${lo.toString(16).padStart(8, "0")}"`;
}

/** A signed 64-bit number with all its digits. */
function signed(lo: number, hi: number): string {
  const value = (hi | 0) * 4294967296 + lo;
  return Number.isSafeInteger(value)
    ? decimal(value)
    : String(BigInt.asIntN(64, BigInt(hi) << 32n | BigInt(lo)));
}
