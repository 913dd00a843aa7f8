/**
 * One CPU's sub-buffers as a set, and checked copies of them while the guest
 * writes. A cursor along the ring would break when a reader in the guest swaps
 * pages; a set is not affected.
 *
 * @module
 */
import type { AddressSpace } from "../../memory/address_space.ts";
import type { PageArena } from "./columns.ts";
import type { PageLayout } from "./meta.ts";
import { type PageHeader, PageWords } from "./page_words.ts";
import type { RingPage } from "./ring_buffer.ts";

/** Creates an empty header to read into. */
const blank = (): PageHeader => ({
  stampLo: 0,
  stampHi: 0,
  commit: 0,
  handedBack: false,
});

/**
 * Low bits of a page's `write`; the bits above count the writers that moved
 * onto it.
 */
const RB_WRITE_MASK = 0xf_ffff;

/** Access to a CPU's pages by index, and how much of each has been read. */
export class PageSet {
  /** The number of pages. */
  readonly size: number;
  /** Low half of each page's stamp when it was last read. */
  readonly stampLo: Uint32Array;
  /** High half of each page's stamp when it was last read. */
  readonly stampHi: Uint32Array;
  /** How many bytes of each page's data have been decoded. */
  readonly consumed: Uint32Array;
  /**
   * Time of the last event decoded in each page, in ns since the columns'
   * epoch.
   */
  readonly lastTs: Float64Array;
  /** Number of events found in those bytes. */
  readonly events: Uint32Array;
  /** The header found by the last {@linkcode load} or {@linkcode copy}. */
  readonly header: PageHeader = blank();
  /** Low half of the GVA of each page's `struct buffer_page`. */
  readonly structLo: Uint32Array;
  readonly #layout: PageLayout;
  readonly #pageSize: number;
  readonly #words: PageWords;
  readonly #indexes: ReadonlyMap<number, number>;
  readonly #again: PageHeader = blank();
  /** The latest stamp among all decoded pages, in two halves. */
  #newestLo = 0;
  #newestHi = 0;
  /**
   * The kernel's count of the pages that it began to write to; NaN if it has
   * none.
   */
  touched: () => number = () => NaN;
  /** That count when a page was last decoded. */
  #touchedAt = NaN;

  /**
   * @param pageSize size of a sub-buffer in bytes
   * @throws {KernelError} when a page is not word-aligned.
   */
  constructor(
    space: AddressSpace,
    pages: readonly RingPage[],
    layout: PageLayout,
    pageSize: number,
  ) {
    const n = pages.length;
    this.size = n;
    this.#layout = layout;
    this.#pageSize = pageSize;
    this.#words = new PageWords(space, pages, layout, pageSize);
    this.structLo = Uint32Array.from(
      pages,
      (page) => Number(page.gva & 0xffffffffn),
    );
    this.#indexes = new Map(Array.from(this.structLo, (lo, i) => [lo, i]));
    this.stampLo = new Uint32Array(n);
    this.stampHi = new Uint32Array(n);
    this.consumed = new Uint32Array(n);
    this.lastTs = new Float64Array(n);
    this.events = new Uint32Array(n);
  }

  /**
   * Detects data pages that were exchanged: a splice reader in the guest takes
   * a page away and puts a fresh one in its place.
   *
   * @returns how many pages were exchanged.
   */
  refresh(): number {
    let exchanged = 0;
    for (let i = 0; i < this.size; i++) {
      if (!this.#words.follow(i)) continue;
      exchanged++;
      this.stampLo[i] = this.stampHi[i] = this.consumed[i] = 0;
      this.events[i] = 0;
    }
    return exchanged;
  }

  /**
   * Index of a `struct buffer_page` by the low half of its GVA; -1 when not in
   * the set.
   */
  indexOf(structLo: number): number {
    return this.#indexes.get(structLo) ?? -1;
  }

  /** Whether everything reserved in page `index` has been committed. */
  committed(index: number): boolean {
    const write = this.#words.write(index) & RB_WRITE_MASK;
    return this.load(index, this.#again).commit === write;
  }

  /** Skips what readers in the guest have handed back by now. */
  forget(): void {
    this.#newestLo = this.#newestHi = 0;
    for (let i = 0; i < this.size; i++) {
      const header = this.look(i, this.#again);
      if (header.handedBack) this.mark(i, header, header.commit, 0, 0);
    }
    this.#newestLo = this.#newestHi = 0;
  }

  /**
   * Number of decoded events that are still in the pages, that is, not
   * discarded by a reset of the buffer.
   */
  heldEvents(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) {
      if (this.events[i] === 0) continue;
      const header = this.load(i);
      const there = header.commit > 0 || this.#handedBack(i) > 0;
      const blank = header.stampLo === 0 && header.stampHi === 0;
      const same = blank ? this.#isSame(i) : this.same(i, header);
      if (there && same) sum += this.events[i];
    }
    return sum;
  }

  /** Whether page `index` still has the data page that it had when listed. */
  holds(index: number): boolean {
    return this.#words.holds(index);
  }

  /**
   * Takes over what an earlier set knew about the pages that both contain. Of
   * the others, those that are older than the newest decoded one are ignored.
   *
   * @param anew whether the buffer was emptied, so that no page is older
   * @returns how many pages both contain.
   */
  inherit(before: PageSet, anew = false): number {
    let common = 0;
    this.#newestLo = before.#newestLo;
    this.#newestHi = before.#newestHi;
    this.#touchedAt = before.#touchedAt;
    const known = new Map<number, number>();
    for (let i = 0; i < before.size; i++) known.set(before.#words.gpa(i), i);
    for (let i = 0; i < this.size; i++) {
      const j = known.get(this.#words.gpa(i));
      if (j === undefined) {
        const header = this.load(i, this.#again);
        if (!anew && header.commit > 0 && this.#isOld(header)) {
          this.mark(i, header, header.commit, 0, 0);
        }
        continue;
      }
      common++;
      this.stampLo[i] = before.stampLo[j];
      this.stampHi[i] = before.stampHi[j];
      this.consumed[i] = before.consumed[j];
      this.lastTs[i] = before.lastTs[j];
      this.events[i] = before.events[j];
    }
    return common;
  }

  /**
   * Index of the newest page of which something was decoded; -1 when there is
   * none.
   */
  newestKnown(): number {
    let newest = -1;
    for (let i = 0; i < this.size; i++) {
      if (this.consumed[i] === 0) continue;
      const later = newest < 0 || this.stampHi[i] > this.stampHi[newest] ||
        (this.stampHi[i] === this.stampHi[newest] &&
          this.stampLo[i] > this.stampLo[newest]);
      if (later) newest = i;
    }
    return newest;
  }

  /** Reads page `index`'s header, by default into {@linkcode header}. */
  load(index: number, into: PageHeader = this.header): PageHeader {
    return this.#words.header(index, into);
  }

  /**
   * Like {@linkcode load}, but restores the commit of a page that a reader in
   * the guest has taken, read and handed back. The kernel sets the page's
   * `write` and commit to 0 (rb_get_reader_page(), kernel/trace/ring_buffer.c),
   * but keeps the data, and its length in `read`, until the writer reaches the
   * page again, which first adds to `write`. In a page that was emptied, `read`
   * is 0. Pages older than the newest decoded one are ignored, because they
   * have already been read.
   *
   * 7.2 also sets the stamp to 0 (rb_init_data_page()), without which the times
   * of the page's events are not known: there, only the rest of a page can be
   * read of which the beginning has been.
   */
  look(index: number, into: PageHeader = this.header): PageHeader {
    this.load(index, into);
    if (into.commit !== 0) return into;
    if (into.stampLo === 0 && into.stampHi === 0) {
      if (!this.#isSame(index)) return into;
      into.stampLo = this.stampLo[index];
      into.stampHi = this.stampHi[index];
    }
    if (this.#isOld(into)) return into;
    into.commit = this.#handedBack(index);
    into.handedBack = into.commit > 0;
    return into;
  }

  /**
   * Whether page `index`, whose stamp is gone, is still the one that was
   * decoded: the writer would have to go round the ring to reach it again.
   */
  #isSame(index: number): boolean {
    if (this.consumed[index] === 0) return false;
    const since = this.touched() - this.#touchedAt;
    // The count is set back when the buffer is emptied.
    return since >= 0 && since < this.size / 2;
  }

  /** Whether a page began before the newest one that was decoded. */
  #isOld({ stampLo: lo, stampHi: hi }: PageHeader): boolean {
    return hi < this.#newestHi ||
      (hi === this.#newestHi && lo < this.#newestLo);
  }

  /**
   * Bytes of data in page `index`, which has no commit, that a reader handed
   * back.
   */
  #handedBack(index: number): number {
    const read = this.#words.read(index);
    return this.#words.write(index) === 0 ? read : 0;
  }

  /**
   * Whether page `index` holds anything not decoded yet, according to a loaded
   * header.
   */
  changed(index: number, header: PageHeader): boolean {
    if (header.commit === 0) return false;
    return header.stampLo !== this.stampLo[index] ||
      header.stampHi !== this.stampHi[index] ||
      header.commit > this.consumed[index];
  }

  /**
   * Whether page `index` is still the one that was read, according to its
   * stamp.
   */
  same(
    index: number,
    header: { readonly stampLo: number; readonly stampHi: number },
  ): boolean {
    return header.stampLo === this.stampLo[index] &&
      header.stampHi === this.stampHi[index];
  }

  /**
   * Records that page `index` has been decoded up to `consumed` bytes.
   *
   * @param events how many events were found since the last call for this page
   */
  mark(
    index: number,
    header: PageHeader,
    consumed: number,
    lastTs: number,
    events: number,
  ): void {
    this.events[index] = this.same(index, header)
      ? this.events[index] + events
      : events;
    const { stampLo: lo, stampHi: hi } = header;
    this.stampLo[index] = lo;
    this.stampHi[index] = hi;
    if (
      hi > this.#newestHi || (hi === this.#newestHi && lo > this.#newestLo)
    ) {
      this.#newestLo = lo;
      this.#newestHi = hi;
    }
    this.consumed[index] = consumed;
    this.lastTs[index] = lastTs;
    this.#touchedAt = this.touched();
  }

  /**
   * Copies page `index`'s data from byte `from` to its commit into an arena
   * slot. The copy is valid if the page afterwards still has the same stamp and
   * its commit has not shrunk: then the bytes up to the first commit did not
   * change meanwhile. That first header is left in {@linkcode header}. A copy
   * is not valid when a reader in the guest has taken the page away, since its
   * memory may hold anything by now.
   *
   * The slot's content before `from` is kept.
   *
   * @returns `false` when the page was reused or taken away meanwhile, or its
   * commit cannot be right.
   */
  copy(index: number, arena: PageArena, slot: number, from: number): boolean {
    const { data } = this.#layout;
    const before = this.look(index);
    const { commit } = before;
    if (commit < from || commit === 0 || commit > this.#pageSize - data) {
      return false;
    }
    this.#words.copy(index, arena, slot, data + from, data + commit);
    const after = this.look(index, this.#again);
    if (
      after.stampLo !== before.stampLo || after.stampHi !== before.stampHi ||
      after.commit < commit
    ) return false;
    return this.holds(index);
  }

  /**
   * Stores the header of the last copy in front of its data, in the arena slot.
   */
  store(arena: PageArena, slot: number): void {
    const stamp = (slot + this.#layout.timeStamp) >>> 2;
    arena.words[stamp] = this.header.stampLo;
    arena.words[stamp + 1] = this.header.stampHi;
    arena.words[(slot + this.#layout.commit) >>> 2] = this.header.commit;
  }
}
