/**
 * Lists the pages of a ring that the guest may resize meanwhile, and says
 * whether the list still holds.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { CpuWords } from "./cpu_words.ts";
import type { PageLayout } from "./meta.ts";
import { PageSet } from "./page_set.ts";
import type { CpuBuffer } from "./ring_buffer.ts";

/** Tries to list a ring that is being resized. */
const LIST_TRIES = 20;

/** How far a ring's resizes are; no two lists of pages have the same. */
interface RingSize {
  /** Pages in the ring, the reader page not counted (`nr_pages`). */
  readonly pages: number;
  /** How many more there will be when the resize at hand is done. */
  readonly toUpdate: number;
  /** Pages ever removed. */
  readonly removed: number;
}

/** Whether an error may come of a ring that changes while it is walked. */
export function isPassing(error: unknown): boolean {
  return error instanceof KernelError || error instanceof MemoryError;
}

/**
 * The list of one CPU's pages.
 *
 * A resize changes the links first and `nr_pages` when all is done; of pages
 * that go, `pages_removed` is raised before they are unlinked, and they are
 * freed after it (ring_buffer_resize(), rb_remove_pages(), rb_insert_pages(),
 * kernel/trace/ring_buffer.c). A size of before that with a list of after it
 * must not pass for a later moment in which the ring has other pages.
 */
export class RingListing {
  /** Why the ring could not be listed when that was last tried. */
  failure: unknown;
  readonly #buffer: CpuBuffer;
  readonly #words: CpuWords;
  readonly #layout: PageLayout;
  readonly #pageSize: number;
  #size: RingSize;
  /** Whether the pages were listed in a moment that `#size` tells of. */
  #settled = false;

  /** @param pageSize bytes of a sub-buffer */
  constructor(
    buffer: CpuBuffer,
    words: CpuWords,
    layout: PageLayout,
    pageSize: number,
  ) {
    this.#buffer = buffer;
    this.#words = words;
    this.#layout = layout;
    this.#pageSize = pageSize;
    this.#size = this.#sizeNow();
  }

  /**
   * Whether the ring was resized since it was listed, or was listed in the
   * midst of a resize.
   */
  stale(): boolean {
    return !this.#settled || !this.#isSize(this.#size);
  }

  /**
   * Lists the pages; see {@linkcode stale} for whether that went well.
   *
   * @throws {KernelError} when the ring cannot be listed.
   * @throws {MemoryError} when it cannot be read.
   */
  list(): PageSet {
    for (let tries = 1;; tries++) {
      try {
        this.#size = this.#sizeNow();
        const cutting = this.#cutting();
        const set = new PageSet(
          this.#buffer.kernel.space,
          this.#buffer.pages(true),
          this.#layout,
          this.#pageSize,
        );
        this.#settled = this.#fits(set.size - 1, cutting);
        if (!this.stale() || tries >= LIST_TRIES) return set;
      } catch (error) {
        if (!isPassing(error) || tries >= LIST_TRIES) throw error;
      }
    }
  }

  /**
   * As {@linkcode list}; but while a resize is under way, it may have been
   * stopped in the one moment in which the ring does not close (a guest's CPU
   * does not run all the time): then nothing, and `failure` says why.
   *
   * @throws {KernelError} when the ring cannot be listed, and no resize is
   * under way.
   * @throws {MemoryError} likewise, when it cannot be read.
   */
  tryList(): PageSet | undefined {
    this.failure = undefined;
    try {
      return this.list();
    } catch (error) {
      this.#settled = false;
      if (!isPassing(error) || this.#sizeNow().toUpdate === 0) throw error;
      this.failure = error;
      return undefined;
    }
  }

  #sizeNow(): RingSize {
    const words = this.#words;
    return {
      pages: words.load("nr_pages"),
      toUpdate: words.load("nr_pages_to_update"),
      removed: words.load("pages_removed"),
    };
  }

  #isSize({ pages, toUpdate, removed }: RingSize): boolean {
    const words = this.#words;
    return words.load("nr_pages") === pages &&
      words.load("nr_pages_to_update") === toUpdate &&
      words.load("pages_removed") === removed;
  }

  /**
   * Whether pages may be about to be unlinked that are counted as removed
   * already: recording is disabled from before the one until after the other.
   */
  #cutting(): boolean {
    const words = this.#words;
    return words.load("nr_pages_to_update") < 0 &&
      words.load("record_disabled") !== 0;
  }

  /**
   * Whether as many pages were listed as the ring has, or will have when the
   * resize is done whose links are changed already.
   */
  #fits(listed: number, cutting: boolean): boolean {
    const { pages, toUpdate } = this.#size;
    return toUpdate !== 0 && listed === pages + toUpdate ||
      listed === pages && !cutting;
  }
}
