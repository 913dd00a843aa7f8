/**
 * What a trace.dat holds besides events: the format of the kernel's pages, of
 * its events, names, options, and where the data of each CPU are.
 *
 * Versions 6 and 7, by trace-cmd's own description (trace-cmd.dat.v6(5),
 * trace-cmd.dat.v7(5)).
 *
 * @module
 */
import { datBytes, DatCursor, datError, type DatSource } from "./dat_file.ts";
import { readOptions } from "./dat_options.ts";
import {
  checkedCpu,
  chosenClock,
  cpus,
  DAT_ID,
  type DatBuffer,
  type DatCpu,
  type DatHeader,
  type DatParts,
  MOST_SECTION,
} from "./dat_parts.ts";
import { unpackSection } from "./dat_unpack.ts";
import { parseFormatFile } from "./format_file.ts";

const MOST_FORMAT = 1 << 20;
const MOST_EVENTS = 65_535;
const MOST_SYSTEMS = 5000;
const MOST_CLOCK = 1024;
const MOST_PAGE = 4 << 20;
const MOST_OPTION_SECTIONS = 1024;

/**
 * Reads the header of a trace.dat.
 *
 * @throws {XftraceError} one sentence, with the file and the place.
 */
export function readDatHeader(source: DatSource): DatHeader {
  const { path } = source;
  const head = new DatCursor(source, true);
  if (
    source.size < 16 || head.text(10, 10, "its magic") !== "\x17\x08Dtracing"
  ) {
    throw datError(path, 0, "this is no trace.dat: it does not begin like one");
  }
  const version = head.cstring(8, "its version");
  if (version !== "6" && version !== "7") {
    throw head.error(
      `this is a trace.dat of version ${
        JSON.stringify(version)
      }, and versions 6 and 7 are read; \`trace-cmd convert\` converts it`,
    );
  }
  const little = head.number(1, "its byte order") === 0;
  const userLong = head.number(1, "the size of long");
  const cursor = new DatCursor(source, little, head.at);
  const pageSize = cursor.number(4, "the page size");
  checkPageSize(cursor, pageSize);
  const parts: DatParts = {
    path,
    version: version === "6" ? 6 : 7,
    little,
    longSize: userLong === 4 ? 4 : 8,
    pageSize,
    packing: "none",
    pageData: 16,
    events: [],
    badFormats: 0,
    kallsyms: "",
    printk: "",
    cmdlines: "",
    cpuCount: 0,
    clock: undefined,
    timeOffset: 0n,
    tsc: undefined,
    shifted: false,
    uname: undefined,
    buffers: [],
    fileSize: source.size,
    instances: [],
    sections: new Map(),
  };
  if (parts.version === 6) readVersion6(source, cursor, parts);
  else readVersion7(source, cursor, parts);
  return parts;
}

function checkPageSize(cursor: DatCursor, size: number): void {
  if (size < 64 || size > MOST_PAGE || (size & (size - 1)) !== 0) {
    throw cursor.error(`a page of ${size} bytes makes no sense`);
  }
}

function readVersion6(
  source: DatSource,
  cursor: DatCursor,
  parts: DatParts,
): void {
  readHeaderInfo(cursor, parts);
  readFtraceEvents(cursor, parts);
  readEventFormats(cursor, parts);
  parts.kallsyms = sized(cursor, 4, "the functions (kallsyms)");
  parts.printk = sized(cursor, 4, "the formats of trace_printk");
  parts.cmdlines = sized(cursor, 8, "the names of threads");
  parts.cpuCount = cpus(cursor, cursor.number(4, "the number of CPUs"));
  const top = readBuffer6(cursor, parts, "");
  // An old bug of trace-cmd could damage what follows the CPUs.
  if (parts.clock !== undefined && cursor.left >= 8) {
    const size = cursor.number(8, "the size of the trace clock");
    if (size <= MOST_CLOCK && size <= cursor.left) {
      parts.clock =
        chosenClock(cursor.text(size, MOST_CLOCK, "the trace clock")) ??
          parts.clock;
    }
  }
  parts.buffers.push(top);
  for (const { name, offset } of parts.instances.splice(0)) {
    const at = new DatCursor(source, parts.little, offset);
    parts.buffers.push(readBuffer6(at, parts, name));
  }
}

/** Options, if there are any, and where the data of CPUs are. */
function readBuffer6(
  cursor: DatCursor,
  parts: DatParts,
  name: string,
): DatBuffer {
  const type = () =>
    cursor.text(10, 10, "the kind of trace").replace(/\0.*/, "");
  let kind = type();
  if (kind.startsWith("options")) {
    readOptions(cursor, parts);
    kind = type();
  }
  const { pageSize } = parts;
  if (kind.startsWith("latency")) {
    const text = { offset: cursor.at, size: cursor.left };
    return { name, pageSize, packed: false, cpus: [], section: 0, text };
  }
  if (kind !== "flyrecord") {
    throw cursor.error("there is neither flyrecord nor latency data");
  }
  const all: DatCpu[] = [];
  for (let cpu = 0; cpu < parts.cpuCount; cpu++) {
    const offset = cursor.number(8, `the place of CPU ${cpu}`);
    const size = cursor.number(8, `the size of CPU ${cpu}`);
    all.push(checkedCpu(cursor, { cpu, offset, size }, parts));
  }
  return { name, pageSize, packed: false, cpus: all, section: 0 };
}

function readVersion7(
  source: DatSource,
  cursor: DatCursor,
  parts: DatParts,
): void {
  const packing = cursor.cstring(64, "the name of the compression");
  cursor.cstring(64, "the version of the compression");
  if (packing !== "none" && packing !== "zlib" && packing !== "zstd") {
    throw cursor.error(
      `the compression ${
        JSON.stringify(packing)
      } is not known; zlib and zstd are`,
    );
  }
  parts.packing = packing;
  let next = cursor.number(8, "the place of the options");
  const seen = new Set<number>();
  while (next !== 0) {
    if (seen.has(next) || seen.size >= MOST_OPTION_SECTIONS) {
      throw cursor.error(`the options lead in a circle, to byte ${next}`);
    }
    seen.add(next);
    const section = openSection(source, parts, next, DAT_ID.done);
    next = readOptions(section, parts);
  }
  const each: [number, (cursor: DatCursor) => void][] = [
    [DAT_ID.headerInfo, (at) => readHeaderInfo(at, parts)],
    [DAT_ID.ftraceEvents, (at) => readFtraceEvents(at, parts)],
    [DAT_ID.eventFormats, (at) => readEventFormats(at, parts)],
    [DAT_ID.kallsyms, (at) => {
      parts.kallsyms = sized(at, 4, "the functions (kallsyms)");
    }],
    [DAT_ID.printk, (at) => {
      parts.printk = sized(at, 4, "the formats of trace_printk");
    }],
    [DAT_ID.cmdlines, (at) => {
      parts.cmdlines = sized(at, 8, "the names of threads");
    }],
  ];
  for (const [id, read] of each) {
    const at = parts.sections.get(id);
    if (at !== undefined) read(openSection(source, parts, at, id));
  }
  parts.buffers = parts.buffers.map((buffer) => {
    const { packed, start, end } = sectionHeader(source, parts, buffer.section);
    return buffer.text === undefined
      ? { ...buffer, packed }
      : { ...buffer, packed, text: { offset: start, size: end - start } };
  }).sort((a, b) => Number(b.name === "") - Number(a.name === ""));
}

/** The header of a section: whether it is packed, and where its content is. */
function sectionHeader(
  source: DatSource,
  parts: DatParts,
  offset: number,
): { id: number; packed: boolean; start: number; end: number } {
  const cursor = new DatCursor(source, parts.little, offset);
  const id = cursor.number(2, "the id of a section");
  const flags = cursor.number(2, "the flags of a section");
  cursor.number(4, "the description of a section");
  const size = cursor.number(8, "the size of a section");
  const start = cursor.at;
  if (size > cursor.left) {
    throw datError(
      parts.path,
      offset,
      `the file ends within a section of ${size} bytes`,
    );
  }
  return { id, packed: (flags & 1) !== 0, start, end: start + size };
}

function openSection(
  source: DatSource,
  parts: DatParts,
  offset: number,
  wanted: number,
): DatCursor {
  const { id, packed, start, end } = sectionHeader(source, parts, offset);
  const { path, little, packing } = parts;
  if (id !== wanted) {
    throw datError(
      path,
      offset,
      `there is a section ${id} where ${wanted} should be`,
    );
  }
  const cursor = new DatCursor(source, little, start, end);
  if (!packed) return cursor;
  const from = cursor.number(4, "the packed size of a section");
  const to = cursor.number(4, "the size of a section");
  if (to > MOST_SECTION) {
    throw cursor.error(
      `a section of ${to} bytes makes no sense; ${MOST_SECTION} are the most`,
    );
  }
  const what = `section ${id}`;
  const place = { path, at: cursor.at, what };
  const bytes = unpackSection(
    packing,
    cursor.bytes(from, MOST_SECTION, what),
    to,
    place,
  );
  return new DatCursor(datBytes(path, bytes), little, 0, to, offset);
}

/** The format of pages (events/header_page), and of events in them. */
function readHeaderInfo(cursor: DatCursor, parts: DatParts): void {
  const expect = (name: string) => {
    if (cursor.text(name.length, 16, name) !== name) {
      throw cursor.error(`${name.slice(0, -1)} is not where it should be`);
    }
    const size = cursor.number(8, `the size of ${name.slice(0, -1)}`);
    return cursor.text(size, MOST_FORMAT, name.slice(0, -1));
  };
  const page = expect("header_page\0");
  expect("header_event\0");
  const field = (name: string) =>
    new RegExp(`\\b${name};\\s*offset:(\\d{1,4});\\s*size:(\\d{1,7});`)
      .exec(page);
  const stamp = field("timestamp");
  const commit = field("commit");
  const data = field("data");
  if (stamp === null || commit === null || data === null) {
    throw cursor.error(
      "the format of pages (header_page) lacks timestamp, commit or data; " +
        "kernels before 2.6.31 are not supported",
    );
  }
  const long = Number(commit[2]);
  if (
    Number(stamp[1]) !== 0 || Number(stamp[2]) !== 8 ||
    Number(commit[1]) !== 8 || (long !== 4 && long !== 8) ||
    Number(data[1]) !== 8 + long
  ) {
    throw cursor.error("the format of pages (header_page) is not a known one");
  }
  parts.longSize = long;
  parts.pageData = Number(data[1]);
}

function readFtraceEvents(cursor: DatCursor, parts: DatParts): void {
  const count = cursor.number(4, "the number of Ftrace's own events");
  for (let i = 0; i < count; i++) readFormat(cursor, parts, "ftrace");
}

function readEventFormats(cursor: DatCursor, parts: DatParts): void {
  const systems = cursor.number(4, "the number of event systems");
  if (systems > MOST_SYSTEMS) {
    throw cursor.error(`${systems} event systems are more than any guest has`);
  }
  for (let i = 0; i < systems; i++) {
    const system = cursor.cstring(256, "the name of an event system");
    const count = cursor.number(4, `the number of events of ${system}`);
    for (let k = 0; k < count; k++) readFormat(cursor, parts, system);
  }
}

function readFormat(cursor: DatCursor, parts: DatParts, system: string): void {
  if (parts.events.length + parts.badFormats >= MOST_EVENTS) {
    throw cursor.error(`more than ${MOST_EVENTS} events are more than fit`);
  }
  const size = cursor.number(8, `the size of a format of ${system}`);
  const text = cursor.text(size, MOST_FORMAT, `a format of ${system}`);
  const event = parseFormatFile(text, system, parts.longSize);
  if (event === undefined) parts.badFormats++;
  else parts.events.push(event);
}

function sized(cursor: DatCursor, bytes: 4 | 8, what: string): string {
  const size = cursor.number(bytes, `the size of ${what}`);
  return cursor.text(size, MOST_SECTION, what);
}
