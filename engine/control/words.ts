/**
 * The words of guest memory that control Ftrace: planned, written, undone.
 *
 * Each is one aligned word. It is changed atomically and only in the relevant
 * bits, so that concurrent changes by the guest to the other bits are kept.
 *
 * @module
 */
import { GuestGoneError, KernelError, MemoryError } from "../base/errors.ts";
import { hex } from "../base/hex.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { AppliedWord } from "./applied.ts";
import type { WordChange } from "./plan.ts";

/** The result of undoing a change of a word. */
export interface UndoneWord {
  /** Whether it was undone; if not, somebody else has set another value. */
  readonly undone: boolean;
  /** The masked value that was there. */
  readonly holds: bigint;
  /** Why the word's place is no longer valid, if that is the reason. */
  readonly moved?: string;
}

/** The guest has changed since the plan was made. */
export class StalePlanError extends KernelError {}

function allBits(width: 4 | 8): bigint {
  return (1n << BigInt(width * 8)) - 1n;
}

function wordAt(kernel: Kernel, gva: bigint, width: 4 | 8): bigint {
  return width === 4 ? BigInt(kernel.space.u32(gva)) : kernel.space.u64(gva);
}

/** The word after a change. */
function changed(change: WordChange, word: bigint): bigint {
  const bits = allBits(change.width);
  return change.counts === true
    ? (word + change.after - change.before) & bits
    : (word & ~change.mask & bits) | change.after;
}

/**
 * Guest memory as it will be after the changes planned so far: later changes
 * take earlier ones into account.
 */
export class PlannedMemory {
  readonly kernel: Kernel;
  /** Whole words by GVA, with their widths. */
  readonly #words = new Map<bigint, bigint>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** The word at a GVA. */
  word(gva: bigint, width: 4 | 8): bigint {
    return this.#words.get(gva) ?? wordAt(this.kernel, gva, width);
  }

  /** Records a planned change. */
  note(change: WordChange): void {
    const { gva, width } = change;
    this.#words.set(gva, changed(change, this.word(gva, width)));
  }
}

/**
 * Plans a change of some bits of a word.
 *
 * @returns `undefined` when the word already holds the value.
 */
export function planWord(
  memory: PlannedMemory,
  what: string,
  where: string,
  gva: bigint,
  width: 4 | 8,
  after: bigint,
  options: Pick<Partial<WordChange>, "mask" | "exact" | "guards"> = {},
): WordChange | undefined {
  const mask = options.mask ?? allBits(width);
  const before = memory.word(gva, width) & mask;
  if (before === after) return undefined;
  const { exact, guards } = options;
  const change: WordChange = {
    way: "word",
    what,
    where,
    gva,
    width,
    mask,
    before,
    after,
    ...(exact === undefined ? {} : { exact }),
    ...(guards === undefined ? {} : { guards }),
  };
  memory.note(change);
  return change;
}

/** Replaces a word; `undefined` when `next` returns nothing to write. */
function update(
  kernel: Kernel,
  change: WordChange,
  next: (word: bigint) => bigint | undefined,
): bigint | undefined {
  const { memory, space } = kernel;
  const { gpa } = space.translate(change.gva);
  for (let tries = 0; tries < 1000; tries++) {
    const word = wordAt(kernel, change.gva, change.width);
    const replacement = next(word);
    if (replacement === undefined) return undefined;
    const found = memory.compareExchange(gpa, change.width, word, replacement);
    if (found === word) return word;
  }
  throw new KernelError(
    `${change.what}: the guest changes ${change.where} all the time; nothing was written`,
  );
}

/** Why a word's place is no longer valid; `undefined` when it is valid. */
function movedAway(kernel: Kernel, change: WordChange): string | undefined {
  for (const { where, gva, value } of change.guards ?? []) {
    let now: bigint;
    try {
      now = kernel.space.u64(gva);
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      if (error instanceof GuestGoneError) throw error;
      return `${where} cannot be read any more`;
    }
    if (now !== value) {
      return `${where} is ${hex(now)} and no longer ${hex(value)}`;
    }
  }
  return undefined;
}

/**
 * Why memory no longer holds the kernel for which words were planned, so that
 * each address is about something else by now; `undefined` when it does. Reads
 * from the guest what identifies its kernel: banner, vmcoreinfo note, and all
 * symbols.
 */
export function otherKernel({ origin }: Kernel): string | undefined {
  const changed = origin?.changed();
  return changed === undefined
    ? undefined
    : `the guest no longer runs the kernel that was opened: ${changed}`;
}

function stale(change: WordChange, why: string): StalePlanError {
  return new StalePlanError(
    `the guest has changed its ${change.what} since the plan was made (${why}): nothing is written over that; try again`,
  );
}

/**
 * Checks, without writing, that the guest still runs the kernel for which the
 * changes were planned, and is as it was then, so
 * that a step of many words is carried out completely or not at all.
 *
 * @throws {StalePlanError} when the guest has changed.
 */
export function requireAsPlanned(
  kernel: Kernel,
  changes: readonly WordChange[],
): void {
  if (changes.length === 0) return;
  const other = otherKernel(kernel);
  if (other !== undefined) {
    throw new StalePlanError(`${other}; nothing is written; try again`);
  }
  const memory = new PlannedMemory(kernel);
  for (const change of changes) {
    const moved = movedAway(kernel, change);
    if (moved !== undefined) throw stale(change, moved);
    const { where, gva, width, mask, before } = change;
    const word = memory.word(gva, width) & mask;
    if (change.exact === true && word !== before) {
      throw stale(change, `${where} is ${hex(word)} and not ${hex(before)}`);
    }
    memory.note(change);
  }
}

/**
 * Makes a change.
 *
 * @throws {StalePlanError} when the guest has changed since planning; nothing
 * is written.
 * @throws {MemoryError} when the guest's memory is not writable.
 */
export function applyWord(kernel: Kernel, change: WordChange): AppliedWord {
  const moved = movedAway(kernel, change);
  if (moved !== undefined) throw stale(change, moved);
  let found = 0n;
  update(kernel, change, (word) => {
    found = word & change.mask;
    if (change.exact === true && found !== change.before) {
      const { where, before } = change;
      throw stale(change, `${where} is ${hex(found)} and not ${hex(before)}`);
    }
    return changed(change, word);
  });
  return { way: "word", change, found };
}

/** Undoes a change. A value that somebody else has set since is kept. */
export function undoWord(kernel: Kernel, applied: AppliedWord): UndoneWord {
  const { change, found } = applied;
  const { mask, after, before } = change;
  const bits = allBits(change.width);
  const moved = movedAway(kernel, change);
  if (moved !== undefined) return { undone: false, holds: 0n, moved };
  let holds = 0n;
  const word = update(kernel, change, (word) => {
    holds = word & mask;
    // It was about to be written, and was not.
    if (applied.pending === true && holds === found) return undefined;
    if (change.counts === true) {
      // Somebody else has counted down to 0, which removed our count too.
      return after - before === 1n && (word & bits) === 0n
        ? undefined
        : (word - (after - before)) & bits;
    }
    return holds === after ? (word & ~mask & bits) | found : undefined;
  });
  return { undone: word !== undefined, holds };
}
