/**
 * The options of a trace.dat.
 *
 * @module
 */
import { datBytes, DatCursor } from "./dat_file.ts";
import {
  checkedCpu,
  chosenClock,
  cpus,
  DAT_ID,
  type DatCpu,
  type DatParts,
} from "./dat_parts.ts";

const MOST_OPTION = 64 << 20;
const MOST_INSTANCES = 4096;

/**
 * Reads options up to the last one.
 *
 * @returns v7: where more of them are; 0 if there are none
 */
export function readOptions(cursor: DatCursor, parts: DatParts): number {
  for (;;) {
    const id = cursor.number(2, "an option");
    if (id === DAT_ID.done && parts.version === 6) return 0;
    const size = cursor.number(4, `the size of option ${id}`);
    const start = cursor.at;
    const bytes = cursor.bytes(size, MOST_OPTION, `option ${id}`);
    const option = new DatCursor(
      datBytes(parts.path, bytes),
      parts.little,
      0,
      size,
      start,
    );
    if (id === DAT_ID.done) {
      return option.number(8, "the place of more options");
    }
    readOption(id, option, parts);
  }
}

function readOption(id: number, option: DatCursor, parts: DatParts): void {
  const { left } = option;
  const text = () =>
    option.text(left, MOST_OPTION, `option ${id}`)
      .replace(/\0[^]*$/, "");
  switch (id) {
    case DAT_ID.date:
      // µs, as text.
      parts.timeOffset += integerOf(text()) * 1000n;
      break;
    case DAT_ID.offset:
      parts.timeOffset += integerOf(text());
      break;
    case DAT_ID.traceClock:
      parts.clock = chosenClock(text()) ?? parts.clock ?? "local";
      break;
    case DAT_ID.uname:
      parts.uname = text();
      break;
    case DAT_ID.cpuCount:
      parts.cpuCount = cpus(option, option.number(4, "the number of CPUs"));
      break;
    case DAT_ID.tsc2nsec:
      if (left >= 8) {
        const mult = option.number(4, "the multiplier of the TSC");
        const shift = option.number(4, "the shift of the TSC");
        if (shift > 63) throw option.error("a shift by more than 63 bits");
        parts.tsc = mult === 0 ? undefined : { mult, shift };
      }
      break;
    case DAT_ID.timeShift:
      parts.shifted ||= left >= 16;
      break;
    case DAT_ID.buffer:
    case DAT_ID.bufferText:
      readBufferOption(id, option, parts);
      break;
    case DAT_ID.headerInfo:
    case DAT_ID.ftraceEvents:
    case DAT_ID.eventFormats:
    case DAT_ID.kallsyms:
    case DAT_ID.printk:
    case DAT_ID.cmdlines:
      if (left >= 8) {
        parts.sections.set(id, option.number(8, "the place of a section"));
      }
      break;
    default:
      // Statistics, hooks, memory maps, guests: nothing that events need.
  }
}

/** A number as strtoll reads it: `0x...` or decimal, with a sign. */
function integerOf(text: string): bigint {
  const found = /^\s*([+-]?)(0[xX][0-9a-fA-F]{1,16}|\d{1,20})/.exec(text);
  if (found === null) return 0n;
  const value = BigInt(found[2]);
  return BigInt.asIntN(64, found[1] === "-" ? -value : value);
}

function readBufferOption(
  id: number,
  option: DatCursor,
  parts: DatParts,
): void {
  const offset = option.number(8, "the place of an instance");
  const name = option.cstring(256, "the name of an instance");
  if (parts.buffers.length + parts.instances.length >= MOST_INSTANCES) {
    throw option.error(`there are more than ${MOST_INSTANCES} instances`);
  }
  if (parts.version === 6) {
    parts.instances.push({ name, offset });
    return;
  }
  const clock = option.cstring(256, "the clock of an instance");
  if (name === "") parts.clock ??= clock;
  if (id === DAT_ID.bufferText) {
    parts.buffers.push({
      name,
      pageSize: parts.pageSize,
      packed: false,
      cpus: [],
      section: offset,
      text: { offset, size: 0 },
    });
    return;
  }
  const pageSize = option.number(4, "the page size of an instance");
  if (pageSize < 64 || pageSize > 4 << 20 || pageSize % 8 !== 0) {
    throw option.error(`a page of ${pageSize} bytes makes no sense`);
  }
  const count = cpus(option, option.number(4, "the number of CPUs"));
  const all: DatCpu[] = [];
  const seen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const cpu = cpus(option, option.number(4, "a CPU"));
    const place = option.number(8, `the place of CPU ${cpu}`);
    const size = option.number(8, `the size of CPU ${cpu}`);
    if (seen.has(cpu)) throw option.error(`CPU ${cpu} is there twice`);
    seen.add(cpu);
    all.push(checkedCpu(option, { cpu, offset: place, size }, parts));
  }
  all.sort((a, b) => a.cpu - b.cpu);
  parts.buffers.push({
    name,
    pageSize,
    packed: false,
    cpus: all,
    section: offset,
  });
}
