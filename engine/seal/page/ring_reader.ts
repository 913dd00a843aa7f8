/**
 * Reads a CPU's ring while the guest writes to it: every entry once, with a
 * count of those overwritten before they were read.
 *
 * @module
 */
import { CPU, ENTRY } from "./abi.ts";
import type { ControlPage, CpuArea } from "./control_page.ts";

/** Maximum number of entries copied by one read. */
const CHUNK = 16_384;

/** Receives the content of a ring. */
export interface RingVisitor {
  /** `bytes` is reused afterwards: copy what is to be kept. */
  entries(cpu: number, sequence: number, bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Entries from `sequence` on that were overwritten before they could be read.
   */
  lost(cpu: number, sequence: number, count: number): void;
  /** The head is before entries that have already been read. */
  movedBack(cpu: number, from: number, to: number): void;
  /** The head has advanced by more than a CPU can write in that time. */
  movedAhead(cpu: number, from: number, to: number): void;
}

/** More entries than a CPU can write in a millisecond: 50 ns each. */
const MOST_PER_MS = 20_000;
/**
 * More entries than are written before the next read, however late that is:
 * each of them will have to be stepped over.
 */
const MOST_AT_ONCE = 2 ** 28;

/** What is copied from a ring; used by one reader at a time. */
let buffer: Uint8Array<ArrayBuffer> | undefined;

/** Reads one CPU's ring. */
export class RingReader {
  readonly #page: ControlPage;
  readonly area: CpuArea;
  readonly #pageEntries: number;
  readonly #buffer = buffer ??= new Uint8Array(CHUNK * ENTRY.bytes);
  /** The entry read last, as it was then, and as it is now. */
  readonly #last = new Uint8Array(ENTRY.bytes);
  #hasLast = false;
  readonly #again = new Uint8Array(ENTRY.bytes);
  /** Sequence number of the next entry to read. */
  next: number;
  /** Number of entries that were overwritten before they were read. */
  lost = 0;
  #broken = false;
  #lastRead = performance.now();

  constructor(page: ControlPage, area: CpuArea, next = 1) {
    this.#page = page;
    this.area = area;
    this.#pageEntries = page.kernel.pageSize / ENTRY.bytes;
    this.next = next;
  }

  /**
   * Sequence number of the ring's last entry: the head, unless that has moved in
   * an impossible way; then the last entry read.
   */
  get end(): number {
    const head = this.head();
    return this.#broken || head > this.#most(performance.now())
      ? this.next - 1
      : Math.max(head, this.next - 1);
  }

  /** The highest number that an entry can have by now. */
  #most(now: number): number {
    const ahead = Math.ceil((now - this.#lastRead) * MOST_PER_MS);
    return this.next + this.area.entries + Math.min(ahead, MOST_AT_ONCE);
  }

  /** Sequence number of the newest entry, as stated by the guest. */
  head(): number {
    return this.#page.cpuNumber(this.area, CPU.head);
  }

  /**
   * Reads part of what is new up to `head`, the newest entry that the caller
   * has seen; returns whether there is more. Only then may the same `head` be
   * given again: otherwise it may be before what was skipped as overwritten,
   * and would seem to have moved back.
   */
  read(head: number, visitor: RingVisitor): boolean {
    const { cpu, entries } = this.area;
    if (this.#broken) return false;
    const now = performance.now();
    const most = this.#most(now);
    this.#lastRead = now;
    // In either case the host would believe something that the guest cannot
    // have done.
    if (head < this.next - 1 || head > most) {
      this.#broken = true;
      if (head > most) visitor.movedAhead(cpu, this.next - 1, head);
      else visitor.movedBack(cpu, this.next - 1, head);
      return false;
    }
    if (this.next > head) return false;
    if (this.#rewritten(head)) {
      visitor.movedBack(cpu, this.next - 1, this.next - 2);
    }
    // Entry newest+1 may be partly written, over entry newest+1-entries.
    this.#skip(Math.min(this.head(), most) + 2 - entries, visitor);
    if (this.next > head) return false;
    const count = Math.min(head - this.next + 1, CHUNK);
    this.#copy(this.next, count);
    const valid = Math.min(this.head(), most) + 2 - entries;
    const stale = Math.min(Math.max(valid - this.next, 0), count);
    this.#skip(valid, visitor);
    if (stale < count) {
      visitor.entries(
        cpu,
        this.next,
        this.#buffer.subarray(stale * ENTRY.bytes, count * ENTRY.bytes),
      );
      this.next += count - stale;
      const end = count * ENTRY.bytes;
      this.#hasLast = true;
      this.#last.set(this.#buffer.subarray(end - ENTRY.bytes, end));
    }
    return this.next <= head;
  }

  /**
   * Whether the last entry read now has other words under the same number: then
   * the head moved back between two reads.
   */
  #rewritten(head: number): boolean {
    const last = this.next - 1;
    const { entries, pages } = this.area;
    // Its place belongs to another entry by now, or is about to.
    if (!this.#hasLast || last < 1 || head + 2 - entries > last) {
      return false;
    }
    const index = (last - 1) % entries;
    this.#page.kernel.memory.read(
      pages[Math.floor(index / this.#pageEntries)] +
        (index % this.#pageEntries) * ENTRY.bytes,
      this.#again,
    );
    const same = (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        if (this.#again[i] !== this.#last[i]) return false;
      }
      return true;
    };
    return same(ENTRY.sequence, ENTRY.bytes) && !same(0, ENTRY.sequence);
  }

  #skip(valid: number, visitor: RingVisitor): void {
    if (valid <= this.next) return;
    const count = valid - this.next;
    visitor.lost(this.area.cpu, this.next, count);
    this.lost += count;
    this.next = valid;
  }

  #copy(sequence: number, count: number): void {
    const { entries, pages } = this.area;
    const { memory } = this.#page.kernel;
    let done = 0;
    while (done < count) {
      const index = (sequence - 1 + done) % entries;
      const inPage = index % this.#pageEntries;
      const size = Math.min(this.#pageEntries - inPage, count - done);
      memory.read(
        pages[Math.floor(index / this.#pageEntries)] + inPage * ENTRY.bytes,
        this.#buffer.subarray(
          done * ENTRY.bytes,
          (done + size) * ENTRY.bytes,
        ),
      );
      done += size;
    }
  }
}
