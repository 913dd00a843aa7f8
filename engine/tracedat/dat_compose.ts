/**
 * Puts a trace.dat together, of version 6 or 7, from its parts.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { DAT_ID } from "./dat_parts.ts";
import type { DatSpool } from "./dat_spool.ts";

/** A format file of an event. */
export interface FormatText {
  readonly system: string;
  readonly text: string;
}

/** Everything but the pages. */
export interface DatContent {
  readonly version: 6 | 7;
  readonly little: boolean;
  readonly longSize: 4 | 8;
  readonly pageSize: number;
  readonly formats: readonly FormatText[];
  /** Texts of /proc/kallsyms, printk_formats, saved_cmdlines, trace_clock. */
  readonly kallsyms: Uint8Array;
  readonly printk: Uint8Array;
  readonly cmdlines: Uint8Array;
  readonly clock: string;
  readonly cpuCount: number;
  readonly uname: string | undefined;
  /** Who writes the file. */
  readonly writer: string;
  /** Instances, the top level ("") first. */
  readonly buffers: readonly string[];
}

/** Takes the file, piece by piece. */
export type ByteSink = (bytes: Uint8Array<ArrayBuffer>) => void;

/** The name of a CPU's pages in the spool. */
export function cpuKey(buffer: number, cpu: number): string {
  return `${buffer}/${cpu}`;
}

const ENCODER = new TextEncoder();
/** The magic: 0x17 0x08 0x44, "tracing". */
const MAGIC = "\x17\x08Dtracing";
const ZSTD_VERSION = "1.4.0";
const FLAG_PACKED = 1;

/** Bytes one after the other. */
class Bytes {
  readonly #little: boolean;
  #parts: Uint8Array[] = [];
  length = 0;

  constructor(little: boolean) {
    this.#little = little;
  }

  add(...parts: readonly (Uint8Array | string)[]): this {
    for (const part of parts) {
      const bytes = typeof part === "string" ? ENCODER.encode(part) : part;
      this.#parts.push(bytes);
      this.length += bytes.length;
    }
    return this;
  }

  number(size: 1 | 2 | 4 | 8, value: number): this {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    if (size === 8) view.setBigUint64(0, BigInt(value), this.#little);
    else if (size === 4) view.setUint32(0, value, this.#little);
    else if (size === 2) view.setUint16(0, value, this.#little);
    else view.setUint8(0, value);
    return this.add(bytes);
  }

  /** A text with its size before it. */
  sized(size: 4 | 8, text: Uint8Array | string): this {
    const bytes = typeof text === "string" ? ENCODER.encode(text) : text;
    return this.number(size, bytes.length).add(bytes);
  }

  whole(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [all];
    return all;
  }
}

/** Writes the file. */
export function composeDat(
  content: DatContent,
  pages: DatSpool,
  sink: ByteSink,
): void {
  if (content.version === 6) composeVersion6(content, pages, sink);
  else composeVersion7(content, pages, sink);
}

function start({ version, little, longSize, pageSize }: DatContent): Bytes {
  return new Bytes(little).add(`${MAGIC}${version}\0`)
    .number(1, little ? 0 : 1).number(1, longSize).number(4, pageSize);
}

/** events/header_page and events/header_event. */
function headerInfo({ little, longSize, pageSize }: DatContent): Bytes {
  const data = 8 + longSize;
  const page = [
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;",
    `\tfield: local_t commit;\toffset:8;\tsize:${longSize};\tsigned:1;`,
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;",
    `\tfield: char data;\toffset:${data};\tsize:${pageSize - data};\tsigned:1;`,
    "",
  ].join("\n");
  const event = [
    "# compressed entry header",
    "\ttype_len    :    5 bits",
    "\ttime_delta  :   27 bits",
    "\tarray       :   32 bits",
    "",
    "\tpadding     : type == 29",
    "\ttime_extend : type == 30",
    "\ttime_stamp : type == 31",
    "\tdata max type_len  == 28",
    "",
  ].join("\n");
  return new Bytes(little).add("header_page\0").sized(8, page)
    .add("header_event\0").sized(8, event);
}

function ftraceEvents({ little, formats }: DatContent): Bytes {
  const own = formats.filter(({ system }) => system === "ftrace");
  const bytes = new Bytes(little).number(4, own.length);
  for (const { text } of own) bytes.sized(8, text);
  return bytes;
}

function eventFormats({ little, formats }: DatContent): Bytes {
  const systems = new Map<string, string[]>();
  for (const { system, text } of formats) {
    if (system === "ftrace") continue;
    const of = systems.get(system) ?? [];
    systems.set(system, of);
    of.push(text);
  }
  const bytes = new Bytes(little).number(4, systems.size);
  for (const [system, texts] of systems) {
    bytes.add(`${system}\0`).number(4, texts.length);
    for (const text of texts) bytes.sized(8, text);
  }
  return bytes;
}

/** Options that both versions have. */
function commonOptions(content: DatContent, into: Bytes): void {
  const option = (id: number, text: string) =>
    into.number(2, id).sized(4, `${text}\0`);
  option(DAT_ID.traceClock, content.clock);
  if (content.uname !== undefined) option(DAT_ID.uname, content.uname);
  option(DAT_ID.version, content.writer);
}

function composeVersion6(
  content: DatContent,
  pages: DatSpool,
  sink: ByteSink,
): void {
  const { little, pageSize, cpuCount, buffers } = content;
  const head = start(content);
  for (const part of [headerInfo, ftraceEvents, eventFormats]) {
    head.add(part(content).whole());
  }
  head.sized(4, content.kallsyms).sized(4, content.printk)
    .sized(8, content.cmdlines).number(4, cpuCount).add("options  \0");
  commonOptions(content, head);
  const others = buffers.slice(1);
  const clock = new Bytes(little).sized(8, content.clock).whole();
  const table = 16 * cpuCount;
  const option = (name: string) => ENCODER.encode(name).length + 1 + 8;
  const options = others.reduce((sum, name) => sum + 6 + option(name), 2);
  // The tables of instances lie behind that of the top level.
  let at = head.length + options + 10 + table + clock.length;
  for (const name of others) {
    head.number(2, DAT_ID.buffer).number(4, option(name)).number(8, at)
      .add(`${name}\0`);
    at += 10 + table;
  }
  head.number(2, DAT_ID.done);
  let data = aligned(at, pageSize);
  const order: { key: string; offset: number; size: number }[] = [];
  buffers.forEach((_, buffer) => {
    head.add("flyrecord\0");
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      const key = cpuKey(buffer, cpu);
      const size = pages.size(key);
      head.number(8, data).number(8, size);
      order.push({ key, offset: data, size });
      data = aligned(data + size, pageSize);
    }
    if (buffer === 0) head.add(clock);
  });
  at = head.length;
  sink(head.whole());
  for (const { key, offset, size } of order) {
    if (size === 0) continue;
    if (offset > at) sink(new Uint8Array(offset - at));
    for (const piece of pages.data(key, little)) sink(piece);
    at = offset + size;
  }
}

function aligned(at: number, to: number): number {
  return Math.ceil(at / to) * to;
}

/** A section, packed if it is worth it. */
function section(content: DatContent, id: number, body: Bytes): Bytes {
  const bytes = body.whole();
  const packed = new Bytes(content.little);
  const small = zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
  packed.number(4, small.length).number(4, bytes.length)
    .add(new Uint8Array(small));
  return new Bytes(content.little).number(2, id).number(2, FLAG_PACKED)
    .number(4, 0).number(8, packed.length).add(packed.whole());
}

function composeVersion7(
  content: DatContent,
  pages: DatSpool,
  sink: ByteSink,
): void {
  const { little, pageSize, cpuCount, buffers } = content;
  const text = (size: 4 | 8, of: Uint8Array) =>
    new Bytes(little).sized(size, of);
  const sections: [number, Bytes][] = [
    [DAT_ID.headerInfo, headerInfo(content)],
    [DAT_ID.ftraceEvents, ftraceEvents(content)],
    [DAT_ID.eventFormats, eventFormats(content)],
    [DAT_ID.kallsyms, text(4, content.kallsyms)],
    [DAT_ID.printk, text(4, content.printk)],
    [DAT_ID.cmdlines, text(8, content.cmdlines)],
  ];
  const packed = sections.map(([id, body]) =>
    [id, section(content, id, body)] as const
  );
  const head = start(content).add(`zstd\0${ZSTD_VERSION}\0`);
  const options = new Bytes(little);
  let at = head.length + 8;
  for (const [id, { length }] of packed) {
    options.number(2, id).number(4, 8).number(8, at);
    at += length;
  }
  commonOptions(content, options);
  options.number(2, DAT_ID.cpuCount).number(4, 4).number(4, cpuCount);
  const clockName = /\[([^\]]*)\]/.exec(content.clock)?.[1] ?? content.clock;
  const data: { header: Bytes; keys: string[] }[] = [];
  buffers.forEach((name, buffer) => {
    const place = at;
    const option = new Bytes(little).number(8, place)
      .add(`${name}\0${clockName}\0`).number(4, pageSize).number(4, cpuCount);
    at += 16;
    const keys: string[] = [];
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      const key = cpuKey(buffer, cpu);
      const size = pages.size(key);
      option.number(4, cpu).number(8, at).number(8, size);
      keys.push(key);
      at += size;
    }
    options.number(2, DAT_ID.buffer).sized(4, option.whole());
    const header = new Bytes(little).number(2, DAT_ID.buffer)
      .number(2, FLAG_PACKED).number(4, 0).number(8, at - place - 16);
    data.push({ header, keys });
  });
  options.number(2, DAT_ID.done).number(4, 8).number(8, 0);
  head.number(8, at);
  sink(head.whole());
  for (const [, part] of packed) sink(part.whole());
  for (const { header, keys } of data) {
    sink(header.whole());
    for (const key of keys) {
      for (const piece of pages.data(key, little)) sink(piece);
    }
  }
  sink(section(content, DAT_ID.done, options).whole());
}
