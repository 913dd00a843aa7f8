/**
 * Decodes pages of a trace.dat into columns. The numbers of entries are turned
 * into little-endian ones on the way, so that all that reads events works the
 * same for every file.
 *
 * Times are as libtraceevent has them (kbuffer-parse.c): unlike the kernel, it
 * counts the time of events that the kernel discarded.
 *
 * @module
 */
import {
  type EventColumns,
  KIND,
  type PageArena,
} from "../ftrace/ring/columns.ts";
import type { CommonFields, DatLayout } from "./dat_layout.ts";
import type { DatEvent } from "./format_file.ts";

const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
const TYPE_TIME_STAMP = 31;
/** The bits of the commit that say how many bytes of data there are. */
const COMMIT_MASK = 0x07ffffff;
const MISSED_EVENTS = 0x80000000;
const MISSED_STORED = 0x40000000;
/** 2^27: one unit of the word after a time extend. */
const TS_UNIT = 134_217_728;
/** The bits that an absolute stamp lacks. */
const TS_MSB = 0xf8n << 56n;
/** Bytes of an entry that has its type and pid. */
const LEAST_ENTRY = 8;

/** Turns a time of the file into ns. */
export type DatClock = (stamp: bigint) => bigint;

/** Decodes the pages of one CPU. */
export class DatDecoder {
  readonly #layout: DatLayout;
  readonly little: boolean;
  readonly #clock: DatClock | undefined;
  /** Whether all that decoding reads of an entry lies in words of 32 bits. */
  readonly #plain: boolean;

  /** @param clock for times that are not ns; default: they are */
  constructor(layout: DatLayout, little: boolean, clock?: DatClock) {
    this.#layout = layout;
    this.little = little;
    this.#clock = clock;
    const { common, longSize, trace } = layout;
    const { graphEntry, graphReturn, page } = trace;
    this.#plain = little && longSize === 8 && page.data % 4 === 0 &&
      common.type.offset === 0 && common.type.size === 2 &&
      common.pid.offset === 4 &&
      [
        graphEntry.func,
        graphEntry.depth,
        graphReturn.func,
        graphReturn.depth,
        graphReturn.calltime,
        graphReturn.rettime,
      ].every((place) => place >= 0 && place % 4 === 0);
  }

  /**
   * Appends the events of a page that is in an arena.
   *
   * @param slot the page's offset in the arena
   * @param size bytes of the page
   * @returns what is wrong with the page, after the events that are not
   */
  decode(
    arena: PageArena,
    slot: number,
    size: number,
    cpu: number,
    columns: EventColumns,
  ): string | undefined {
    const { longSize, trace } = this.#layout;
    const little = this.little;
    const { view } = arena;
    const { data: start } = trace.page;
    if (size < start) return "it is cut short";
    const commitAt = slot + 8 + (little || longSize === 4 ? 0 : 4);
    const commit = view.getUint32(commitAt, little);
    const bytes = commit & COMMIT_MASK;
    const data = slot + start;
    if (bytes > size - start) return `it claims to have ${bytes} bytes of data`;
    const end = data + bytes;
    if ((commit & MISSED_EVENTS) !== 0) {
      const stored = (commit & MISSED_STORED) !== 0 &&
        end + longSize <= slot + size;
      const count = !stored
        ? -1
        : longSize === 8
        ? Number(view.getBigUint64(end, little))
        : view.getUint32(end, little);
      columns.lost.push({ row: columns.length, cpu, count });
    }
    columns.reserve(bytes / LEAST_ENTRY + 1);
    const stamp = view.getBigUint64(slot, little);
    const clock = this.#clock;
    let now = Number(BigInt.asIntN(64, stamp - columns.epoch));
    let exact = stamp;
    let at = data;
    if (this.#plain && clock === undefined && (slot & 7) === 0) {
      const { length } = columns;
      at = this.#words(arena, data, end, now, cpu, columns);
      if (at === end) return undefined;
      // Something that is not as usual: from the beginning, with all checks.
      columns.length = length;
      at = data;
    }
    while (at + 4 <= end) {
      const word = view.getUint32(at, little);
      const type = little ? word & 31 : word >>> 27;
      const delta = little ? word >>> 5 : word & 0x07ffffff;
      at += 4;
      if (type >= TYPE_PADDING) {
        // Padding up to the end of the page has no length.
        if (at + 4 > end) break;
        const more = view.getUint32(at, little);
        if (type === TYPE_PADDING) {
          now += delta;
          if (clock !== undefined) exact += BigInt(delta);
          at += more;
          continue;
        }
        at += 4;
        if (type === TYPE_TIME_EXTEND) {
          now += more * TS_UNIT + delta;
          if (clock !== undefined) exact += BigInt(more * TS_UNIT + delta);
        } else if (type === TYPE_TIME_STAMP) {
          const before = clock !== undefined
            ? exact
            : columns.epoch + BigInt(now);
          exact = (before & TS_MSB) | (BigInt(more) << 27n) + BigInt(delta);
          now = Number(BigInt.asIntN(64, exact - columns.epoch));
        }
        continue;
      }
      let length = type * 4;
      if (type === 0) {
        if (at + 4 > end) return "an event is cut short";
        length = (view.getUint32(at, little) - 4 + 3) & ~3;
        at += 4;
      }
      if (length < LEAST_ENTRY || length > end - at) {
        return `an event claims to have ${length} bytes`;
      }
      now += delta;
      if (clock !== undefined) exact += BigInt(delta);
      const row = columns.length++;
      columns.ts[row] = clock === undefined
        ? now
        : Number(BigInt.asIntN(64, clock(exact) - clock(columns.epoch)));
      columns.cpu[row] = cpu;
      columns.offset[row] = at;
      columns.size[row] = length;
      this.#entry(arena, at, length, columns, row);
      at += length;
    }
    return undefined;
  }

  /**
   * Appends the events of a page as the kernels of today write them: in words,
   * and without a stamp of 59 bits. It stops at anything else.
   *
   * @returns where it stopped: the end of the page if all is decoded
   */
  #words(
    arena: PageArena,
    data: number,
    end: number,
    start: number,
    cpu: number,
    columns: EventColumns,
  ): number {
    const { words } = arena;
    const { graphEntry, graphReturn, types } = this.#layout.trace;
    const { graphEnt, graphRet, graphRetaddrEnt } = types;
    const { ts, cpu: cpus, type, pid, offset, size, kind } = columns;
    const { func, depth, duration } = columns;
    const stop = end >>> 2;
    let now = start;
    let row = columns.length;
    let at = data >>> 2;
    while (at < stop) {
      const head = words[at];
      const typeLength = head & 31;
      const delta = head >>> 5;
      if (typeLength >= TYPE_PADDING) {
        if (at + 1 >= stop) {
          at = stop;
          break;
        }
        const more = words[at + 1];
        if (typeLength === TYPE_PADDING) {
          now += delta;
          if ((more & 3) !== 0 || more > 0xffff) return data;
          at += 1 + (more >>> 2);
          continue;
        }
        if (typeLength !== TYPE_TIME_EXTEND) return data;
        now += more * TS_UNIT + delta;
        at += 2;
        continue;
      }
      let length = typeLength * 4;
      at++;
      if (typeLength === 0) {
        if (at >= stop) return data;
        length = (words[at] - 4 + 3) & ~3;
        at++;
      }
      if (length < LEAST_ENTRY || length > (stop - at) * 4) return data;
      now += delta;
      const id = words[at] & 0xffff;
      ts[row] = now;
      cpus[row] = cpu;
      offset[row] = 4 * at;
      size[row] = length;
      type[row] = id;
      pid[row] = words[at + 1];
      kind[row] = KIND.other;
      func[2 * row] = 0;
      func[2 * row + 1] = 0;
      depth[row] = 0;
      duration[row] = 0;
      if (id === graphEnt || id === graphRetaddrEnt) {
        if (length >= graphEntry.size) {
          kind[row] = id === graphEnt ? KIND.entry : KIND.entryRetaddr;
          const place = at + (graphEntry.func >>> 2);
          func[2 * row] = words[place];
          func[2 * row + 1] = words[place + 1];
          depth[row] = words[at + (graphEntry.depth >>> 2)];
        }
      } else if (id === graphRet && length >= graphReturn.size) {
        kind[row] = KIND.return;
        const place = at + (graphReturn.func >>> 2);
        func[2 * row] = words[place];
        func[2 * row + 1] = words[place + 1];
        depth[row] = words[at + (graphReturn.depth >>> 2)];
        const rettime = at + (graphReturn.rettime >>> 2);
        const calltime = at + (graphReturn.calltime >>> 2);
        duration[row] = unsignedDifference(
          words[rettime],
          words[rettime + 1],
          words[calltime],
          words[calltime + 1],
        );
      }
      row++;
      at += length >>> 2;
    }
    if (at > stop) return data;
    columns.length = row;
    return end;
  }

  #entry(
    arena: PageArena,
    at: number,
    length: number,
    columns: EventColumns,
    row: number,
  ): void {
    const { view } = arena;
    const { common, events, trace, longSize } = this.#layout;
    const id = common.type.size === 2
      ? view.getUint16(at + common.type.offset, this.little)
      : view.getUint8(at);
    if (!this.little) turnEntry(view, at, length, events.get(id), common);
    columns.type[row] = id;
    columns.pid[row] = common.pid.offset + 4 <= length
      ? view.getInt32(at + common.pid.offset, true)
      : 0;
    const { graphEntry, graphReturn, types } = trace;
    const word = (offset: number) => view.getUint32(at + offset, true);
    columns.kind[row] = KIND.other;
    columns.func[2 * row] = 0;
    columns.func[2 * row + 1] = 0;
    columns.depth[row] = 0;
    columns.duration[row] = 0;
    const enters = id === types.graphEnt || id === types.graphRetaddrEnt;
    const place = enters ? graphEntry : graphReturn;
    if (id < 0 || (!enters && id !== types.graphRet) || length < place.size) {
      return;
    }
    columns.kind[row] = !enters
      ? KIND.return
      : id === types.graphEnt
      ? KIND.entry
      : KIND.entryRetaddr;
    columns.func[2 * row] = word(place.func);
    columns.func[2 * row + 1] = longSize === 8 ? word(place.func + 4) : 0;
    columns.depth[row] = word(place.depth);
    if (enters) return;
    columns.duration[row] = unsignedDifference(
      word(graphReturn.rettime),
      word(graphReturn.rettime + 4),
      word(graphReturn.calltime),
      word(graphReturn.calltime + 4),
    );
  }
}

/** The difference of two times in halves, as an unsigned number of 64 bits. */
function unsignedDifference(
  lo: number,
  hi: number,
  fromLo: number,
  fromHi: number,
): number {
  const low = lo - fromLo;
  const high = hi - fromHi - (low < 0 ? 1 : 0);
  return (high >>> 0) * 4_294_967_296 + (low >>> 0);
}

/**
 * Turns the numbers of a big-endian entry around.
 *
 * @param back from little-endian to big-endian
 */
export function turnEntry(
  view: DataView<ArrayBuffer>,
  at: number,
  length: number,
  event: DatEvent | undefined,
  common: CommonFields,
  back = false,
): void {
  const turn = (offset: number, size: number) => {
    if (offset + size > length || size > 8) return;
    for (let low = at + offset, high = low + size - 1; low < high;) {
      const byte = view.getUint8(low);
      view.setUint8(low++, view.getUint8(high));
      view.setUint8(high--, byte);
    }
  };
  const turnAll = (from: number, bytes: number, element: number) => {
    if (element < 2) return;
    const stop = Math.min(length, from + bytes);
    for (let each = from; each + element <= stop; each += element) {
      turn(each, element);
    }
  };
  if (event === undefined) {
    turn(common.type.offset, common.type.size);
    turn(common.pid.offset, common.pid.size);
    return;
  }
  for (const field of [...event.common, ...event.fields]) {
    if (!field.array && !field.dynamic) {
      turn(field.offset, field.size);
    } else if (!field.dynamic) {
      const bytes = field.size === 0 ? length - field.offset : field.size;
      turnAll(field.offset, bytes, field.element);
    } else if (field.size === 4 && field.offset + 4 <= length) {
      if (!back) turn(field.offset, 4);
      const place = view.getUint32(at + field.offset, true);
      if (back) turn(field.offset, 4);
      const from = (place & 0xffff) + (field.relative ? field.offset + 4 : 0);
      turnAll(from, place >>> 16, field.element);
    }
  }
}
