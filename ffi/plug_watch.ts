/**
 * Keeps a guest's open memory equal to the RAM that the guest has: takes up
 * memory that is plugged in, and gives up what is unplugged.
 *
 * The guest's resource tree says where plugged memory lies; a file that the
 * guest's process has mapped must correspond to it. What the process still maps
 * stays readable, whatever the guest's tree says.
 *
 * @module
 */
import { KernelError, XftraceError } from "../engine/base/errors.ts";
import type { Kernel } from "../engine/kernel/core/kernel.ts";
import {
  type ReadableRam,
  readableRam,
  systemRam,
} from "../engine/kernel/objects/resources.ts";
import { intersectRanges } from "../engine/memory/elf_core_ranges.ts";
import {
  checkLayout,
  type RamLayout,
  type ResourceRange,
} from "../engine/memory/ram_layout.ts";
import type { PluggableMemory, RamPart } from "./pluggable_memory.ts";

/** Time between two looks at the guest's resource tree, ms. */
const LOOK_MS = 1000;
/**
 * How many looks may follow each other at once when something is read that is
 * not RAM, and the time until there is another, ms: a look takes some 0.3 ms, and
 * a guest may name such addresses all the time.
 */
const MISSES = 20;
const MISS_MS = 100;
/**
 * How often it is found out where plugged memory lies, at most: a guest may
 * change its resource tree all the time.
 */
const MOST_PLANS = 1000;
/**
 * How long it is waited, in ms, until that is tried again when it failed (a
 * monitor serves one client at a time); doubled each time, up to the second.
 */
const RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/** What the watch asks about the guest's process. */
export interface PlugSource {
  /**
   * Where RAM lies now, given the guest's resource tree.
   *
   * @throws {XftraceError} when that cannot be told.
   */
  plan(ram: readonly ResourceRange[]): RamLayout;
  /**
   * Opens parts of the latest plan.
   *
   * @throws {XftraceError} when they cannot be opened.
   */
  open(regions: RamLayout["regions"]): {
    readonly memory: RamPart["memory"];
    readonly parts: readonly RamPart[];
  };
  /** Whether the process still has the backing of a part mapped. */
  isMapped(part: RamPart): boolean;
}

/** Watches the RAM of one guest. */
export class PlugWatch {
  readonly #memory: PluggableMemory;
  readonly #kernel: Kernel;
  readonly #source: PlugSource;
  readonly #clock: () => number;
  #lookedAt: number;
  /** How many misses may be looked at now, and since when that is so. */
  #misses = MISSES;
  #missedAt: number;
  #looking = false;
  #plans = 0;
  /** The resource tree as it was explained last, as text. */
  #seen: string;
  /** The one that could not be explained, and when to try again, ms. */
  #unexplained = "";
  #retryAt = 0;
  #retryMs = RETRY_MS;
  #problem: string | undefined;
  /** Parts that the guest does not list any more, but the process still has. */
  #leaving = false;

  constructor(
    memory: PluggableMemory,
    kernel: Kernel,
    source: PlugSource,
    clock: () => number = () => performance.now(),
  ) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.#source = source;
    this.#clock = clock;
    this.#lookedAt = this.#missedAt = clock();
    this.#seen = textOf(systemRam(kernel));
    memory.onMissing = () => this.#missing();
  }

  /**
   * Looks at the guest's RAM, unless that was done within the last second.
   */
  look(): void {
    if (this.#clock() - this.#lookedAt >= LOOK_MS) this.lookNow();
  }

  /** Looks whether what is missing was plugged in meanwhile. */
  #missing(): void {
    const now = this.#clock();
    const more = Math.floor((now - this.#missedAt) / MISS_MS);
    if (more > 0) {
      this.#misses = Math.min(MISSES, this.#misses + more);
      this.#missedAt = now;
    }
    if (this.#misses === 0) return;
    this.#misses--;
    this.lookNow();
  }

  /**
   * Looks at the guest's RAM.
   *
   * @returns what of it cannot be read, and why, in one sentence; `undefined`
   * when all can
   */
  lookNow(): string | undefined {
    // What is read for that may be missing as well.
    if (this.#looking) return this.#problem;
    this.#looking = true;
    try {
      this.#update();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      this.#problem =
        `memory was plugged in or unplugged since it was opened: ${error.message}`;
    } finally {
      this.#looking = false;
      this.#lookedAt = this.#clock();
    }
    return this.#problem;
  }

  #update(): void {
    for (;;) {
      let tree: ReadableRam;
      try {
        tree = readableRam(this.#kernel);
      } catch (error) {
        // It was being changed, or the guest is starting again.
        if (!(error instanceof KernelError)) throw error;
        return;
      }
      const { ram, missing } = tree;
      const text = textOf(ram);
      const known = missing === undefined && text === this.#seen;
      if (missing === undefined && (!known || this.#leaving)) this.#unplug(ram);
      if (known) {
        this.#problem = undefined;
        return;
      }
      if (text !== this.#unexplained) {
        this.#unexplained = text;
        this.#retryMs = RETRY_MS;
      } else if (this.#clock() < this.#retryAt) return;
      this.#retryAt = this.#clock() + this.#retryMs;
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
      const added = this.#explain(ram);
      if (missing === undefined) {
        this.#seen = text;
        this.#problem = undefined;
        return;
      }
      // The rest of the tree may lie in what was added.
      if (!added) throw missing;
    }
  }

  /**
   * Opens what was plugged in.
   *
   * @returns whether there was anything
   */
  #explain(ram: readonly ResourceRange[]): boolean {
    if (checkLayout(this.#layout(), ram) === undefined) return false;
    if (++this.#plans > MOST_PLANS) {
      throw new KernelError("its resource tree has changed too often");
    }
    const { regions } = this.#source.plan(ram);
    const known = this.#memory.ranges;
    const plugged = regions.filter((region) =>
      intersectRanges([region], known).length === 0
    );
    if (plugged.length > 0) {
      const { memory, parts } = this.#source.open(plugged);
      this.#memory.add(memory, parts);
    }
    const missing = checkLayout(this.#layout(), ram);
    if (missing !== undefined) throw new KernelError(missing);
    return plugged.length > 0;
  }

  /** What is open now, as a layout. */
  #layout(): RamLayout {
    const regions = this.#memory.parts.map(({ start, end }) => ({
      start,
      end,
      backing: 0,
      offset: 0,
    }));
    return { source: "what is open", regions };
  }

  /** Gives up parts that neither the guest nor its process has any more. */
  #unplug(ram: readonly ResourceRange[]): void {
    const unused = this.#memory.parts.filter((part) =>
      !ram.some(({ start, end, within = { start, end } }) =>
        within.start < part.end && within.end > part.start
      )
    );
    const gone = unused.filter((part) => !this.#source.isMapped(part));
    this.#memory.remove(gone);
    this.#leaving = gone.length < unused.length;
  }
}

function textOf(ram: readonly ResourceRange[]): string {
  return ram.map(({ start, end, name }) => `${start}-${end} ${name}`).join();
}
