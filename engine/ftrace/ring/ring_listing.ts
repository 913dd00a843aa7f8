/**
 * Lists the pages of a ring that the guest may resize meanwhile, and tells
 * whether the list is still valid.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { CpuWords } from "./cpu_words.ts";
import type { PageLayout } from "./meta.ts";
import { PageSet } from "./page_set.ts";
import type { CpuBuffer } from "./ring_buffer.ts";

/** Maximum number of attempts to list a ring that is being resized. */
const LIST_TRIES = 20;

/**
 * How far the resizes of a ring have progressed; each list of pages has its own
 * values.
 */
interface RingSize {
  /** Pages in the ring without the reader page (`nr_pages`). */
  readonly pages: number;
  /** The number of pages that the current resize will add. */
  readonly toUpdate: number;
  /** The number of pages ever removed. */
  readonly removed: number;
}

/**
 * Whether an error may be due to a ring that changed while it was being walked.
 */
export function isPassing(error: unknown): boolean {
  return error instanceof KernelError || error instanceof MemoryError;
}

/**
 * The list of one CPU's pages.
 *
 * A resize changes the links first, and `nr_pages` only at its end. When it
 * removes pages, it increases `pages_removed` before it unlinks them, and frees
 * them afterwards (ring_buffer_resize(), rb_remove_pages(), rb_insert_pages(),
 * kernel/trace/ring_buffer.c). A size read before the change together with a
 * list made after it must not be taken for the state at a later time, when the
 * ring has the same size but other pages.
 */
export class RingListing {
  /** Why the last attempt to list the ring failed. */
  failure: unknown;
  readonly #buffer: CpuBuffer;
  readonly #words: CpuWords;
  readonly #layout: PageLayout;
  readonly #pageSize: number;
  #size: RingSize;
  /** Whether the list of pages is known to belong to `#size`. */
  #settled = false;

  /** @param pageSize size of a sub-buffer in bytes */
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
   * Whether the ring has been resized since it was listed, or was listed during
   * a resize.
   */
  stale(): boolean {
    return !this.#settled || !this.#isSize(this.#size);
  }

  /**
   * Lists the pages; {@linkcode stale} tells whether the list is valid.
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
   * Like {@linkcode list}, except that a failure during a resize gives
   * `undefined`, and `failure` says why: a guest's CPU does not run all the
   * time, so it may have stopped at a moment when the links of the ring are not
   * closed.
   *
   * @throws {KernelError} when the ring cannot be listed and no resize is under
   * way.
   * @throws {MemoryError} when it cannot be read and no resize is under way.
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
   * Whether pages that are already counted as removed may not have been
   * unlinked yet: recording is disabled from before the counting until after
   * the unlinking.
   */
  #cutting(): boolean {
    const words = this.#words;
    return words.load("nr_pages_to_update") < 0 &&
      words.load("record_disabled") !== 0;
  }

  /**
   * Whether the number of listed pages is that of the ring now, or that of the
   * ring after the current resize, if the links have been changed already.
   */
  #fits(listed: number, cutting: boolean): boolean {
    const { pages, toUpdate } = this.#size;
    return toUpdate !== 0 && listed === pages + toUpdate ||
      listed === pages && !cutting;
  }
}
