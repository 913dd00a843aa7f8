/**
 * Pages that hold addresses of code because Ftrace has noted them: the records
 * of its call sites, and what it has traced.
 *
 * One word of a book leads to such a page. So a page is believed only as far as
 * it holds what such a page holds: records in the order of their addresses, and
 * entries one after another.
 *
 * Sources: kernel/trace/ftrace.c (ftrace_page, ftrace_process_locs),
 * kernel/trace/ring_buffer.c (rb_reset_tail), include/linux/ring_buffer.h,
 * include/linux/trace_events.h (trace_entry).
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { TraceArray } from "../../ftrace/ring/trace_array.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { readable } from "../../kernel/core/present.ts";
import {
  callSiteRecords,
  type SiteRecords,
} from "../../kernel/patching/ftrace_ops.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";

/** RINGBUF_TYPE_PADDING and its two followers, which carry the time. */
const PADDING = 29;
const STAMP = 31;
/** Size of `struct trace_entry`, with which each entry begins. */
const ENTRY = 8;
/** PID_MAX_LIMIT. */
const MOST_PID = 4 << 20;
/** More 32-bit words than a sub-buffer has: MAX_ORDER allocations of pages. */
const MOST_WORDS = 1 << 20;
/** Entries in a row that nothing but a trace looks like. */
const RUN = 4;
/** RB_MISSED_EVENTS and RB_MISSED_STORED, above a page's commit. */
const MISSED = 0xc000_0000;

/** A sub-buffer of a ring. */
interface RingPage extends GvaRange {
  /** Offsets of `commit` and of the data. */
  readonly commit: number;
  readonly data: number;
}

/** All such pages. */
export class TracedPages {
  readonly #kernel: Kernel;
  readonly #records: readonly SiteRecords[];
  readonly #rings: readonly RingPage[];
  readonly #sorted = new Map<SiteRecords, boolean>();
  readonly #entries = new Map<RingPage, Uint8Array>();

  /** @throws {KernelError | MemoryError} when Ftrace's books cannot be read. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#records = ascending(callSiteRecords(kernel));
    this.#rings = ascending(ringPages(kernel));
  }

  /** Whether a word of a page that is of no cache is such an address. */
  has(gva: bigint): boolean {
    const records = this.#records[rangeAt(this.#records, gva)];
    if (records !== undefined && this.#isRecord(records, gva)) return true;
    const ring = this.#rings[rangeAt(this.#rings, gva)];
    return ring !== undefined && this.#isTraced(ring, gva);
  }

  #isRecord(records: SiteRecords, gva: bigint): boolean {
    const { types } = this.#kernel;
    const size = types.struct("dyn_ftrace").size;
    const past = Number(gva - records.start) - types.offset("dyn_ftrace", "ip");
    if (past < 0 || past % size !== 0) return false;
    const index = past / size;
    // Records of code that was freed stay behind those in use.
    if (index >= records.count) {
      return index > 0 && this.#isCode(gva - BigInt(size));
    }
    let sorted = this.#sorted.get(records);
    if (sorted === undefined) {
      sorted = this.#isSorted(records, size);
      this.#sorted.set(records, sorted);
    }
    return sorted;
  }

  /** Whether all records in use are of code, by ascending address. */
  #isSorted({ start, count }: SiteRecords, size: number): boolean {
    const { space, types } = this.#kernel;
    const bytes = readable(() => space.bytes(start, count * size));
    if (bytes === undefined) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const at = types.offset("dyn_ftrace", "ip");
    let before = 0n;
    for (let i = 0; i < count; i++) {
      const ip = view.getBigUint64(i * size + at, true);
      if (ip <= before) return false;
      before = ip;
    }
    return this.#isCode(start + BigInt(at));
  }

  /** Whether the word at a GVA is an address in the image, or of modules. */
  #isCode(gva: bigint): boolean {
    const { arch: { image }, moduleRegion, space } = this.#kernel;
    const to = readable(() => space.u64(gva)) ?? 0n;
    return [image.range, moduleRegion].some(({ start, end }) =>
      to >= start && to < end
    );
  }

  #isTraced(ring: RingPage, gva: bigint): boolean {
    let entries = this.#entries.get(ring);
    if (entries === undefined) {
      const { start, end, commit, data } = ring;
      const bytes = readable(() =>
        this.#kernel.space.bytes(start, Number(end - start))
      );
      entries = bytes === undefined
        ? new Uint8Array(0)
        : entriesIn(bytes, commit, data);
      this.#entries.set(ring, entries);
    }
    const word = Number(gva - ring.start) >>> 2;
    return entries[word] === 1 && entries[word + 1] === 1;
  }
}

/**
 * Which 32-bit words of a sub-buffer are data of entries: of those up to its
 * commit, and of older ones that were left behind it.
 *
 * @param commit offset of the sub-buffer's commit
 * @param data offset of its data
 */
export function entriesIn(
  bytes: Uint8Array,
  commit: number,
  data: number,
): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - bytes.length % 4;
  const found = allocateBytes(end >>> 2, MOST_WORDS, "a sub-buffer");
  const mark = (at: number) => {
    const past = Math.min(nextOf(view, at, end), end);
    for (let o = entryAt(view, at) + ENTRY; o < past; o += 4) {
      found[o >>> 2] = 1;
    }
  };
  const committed = data + (view.getUint32(commit, true) & ~MISSED) >>> 0;
  const current: number[] = [];
  let at = data;
  while (at < committed && at < end) {
    if (isEntry(view, at, end)) current.push(at);
    const next = nextOf(view, at, end);
    if (next <= at) break;
    at = next;
  }
  if (at === committed) current.forEach(mark);
  // How many entries follow one another from each place on; what tells the time
  // between two of them does not part them.
  const runs = new Uint8Array(found.length + 1);
  for (let o = end - 4; o >= data; o -= 4) {
    const is = isEntry(view, o, end);
    if (!is && !isTime(view, o, end)) continue;
    const after = runs[nextOf(view, o, end) >>> 2];
    runs[o >>> 2] = Math.min(RUN, after + (is ? 1 : 0));
  }
  const seen = new Uint8Array(runs.length);
  for (let o = data; o < end; o += 4) {
    if (runs[o >>> 2] < RUN) continue;
    for (let one = o; one < end && seen[one >>> 2] === 0;) {
      seen[one >>> 2] = 1;
      if (isEntry(view, one, end)) mark(one);
      else if (!isTime(view, one, end)) break;
      one = nextOf(view, one, end);
    }
  }
  return found;
}

/** Offset of what an event holds. */
function entryAt(view: DataView, at: number): number {
  const type = view.getUint32(at, true) & 31;
  return at + (type === 0 || type === PADDING ? 8 : 4);
}

/** Offset of what follows an event; `end` when nothing does. */
function nextOf(view: DataView, at: number, end: number): number {
  const header = view.getUint32(at, true);
  const type = header & 31;
  if (type > 0 && type < PADDING) return at + 4 + 4 * type;
  if (type > PADDING) return at + 8;
  if (type === PADDING && header >>> 5 === 0) return end;
  if (at + 8 > end) return end;
  const length = view.getUint32(at + 4, true);
  return length % 4 === 0 && length >= 4 ? at + 4 + length : at;
}

/** Whether an event tells the time of those behind it. */
function isTime(view: DataView, at: number, end: number): boolean {
  const type = view.getUint32(at, true) & 31;
  return type > PADDING && type <= STAMP && at + 8 <= end;
}

/** Whether an event can be one that holds an entry of a trace. */
function isEntry(view: DataView, at: number, end: number): boolean {
  if (at + 4 + ENTRY > end) return false;
  const header = view.getUint32(at, true);
  const type = header & 31;
  if (type > PADDING && type <= STAMP) return false;
  if (type === PADDING && header >>> 5 === 0) return false;
  const entry = entryAt(view, at);
  const next = nextOf(view, at, end);
  if (next > end || entry + ENTRY > next) return false;
  // struct trace_entry { u16 type; u8 flags, preempt_count; s32 pid }.
  return view.getUint16(entry, true) !== 0 &&
    view.getUint32(entry + 4, true) <= MOST_PID;
}

/** The sub-buffers of all ring buffers. */
function ringPages(kernel: Kernel): RingPage[] {
  const found: RingPage[] = [];
  const { types } = kernel;
  const commit = types.tryOffset("buffer_data_page", "commit");
  const offset = types.tryOffset("buffer_data_page", "data");
  if (commit === undefined || offset === undefined) return found;
  for (const instance of TraceArray.all(kernel)) {
    for (const buffer of [instance.buffer(), instance.snapshotBuffer()]) {
      if (buffer === undefined) continue;
      const size = BigInt(buffer.pageSize);
      for (const cpu of buffer.cpuBuffers()) {
        for (const { data } of cpu.pages(true)) {
          found.push({ start: data, end: data + size, commit, data: offset });
        }
      }
    }
  }
  return found;
}

function ascending<T extends GvaRange>(ranges: readonly T[]): T[] {
  return ranges.toSorted((a, b) => a.start < b.start ? -1 : 1);
}
