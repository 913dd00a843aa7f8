/**
 * Control writes: the words in guest memory that steer Ftrace, planned before
 * they are written, shown, and undone in reverse.
 *
 * Each is one aligned word, changed atomically, and only in the bits it is
 * about: what the guest does to the others meanwhile stays.
 *
 * @module
 */
import { KernelError } from "../base/errors.ts";
import type { Kernel } from "../kernel/core/kernel.ts";

/** One planned write. */
export interface ControlWrite {
  /** What it steers, in tracefs terms: `tracing_on`. */
  readonly what: string;
  /** The variable or member that is written. */
  readonly where: string;
  /** GVA of the word. */
  readonly gva: bigint;
  /** Bytes of the word. */
  readonly width: 4 | 8;
  /** The bits it changes; all bits of the word for a plain value. */
  readonly mask: bigint;
  /** The word's masked value when the write was planned. */
  readonly before: bigint;
  /** The masked value it writes. */
  readonly after: bigint;
  /**
   * Counters (`record_disabled`) are added to and not set: others count too.
   * Then `after - before` is what is added.
   */
  readonly counts?: boolean;
  /** `before` and `after` for people, where hex says little. */
  readonly shown?: readonly [before: string, after: string];
}

/** What a write found and did. */
export interface AppliedWrite {
  readonly write: ControlWrite;
  /** The masked value that was there just before. */
  readonly found: bigint;
}

function allBits(width: 4 | 8): bigint {
  return (1n << BigInt(width * 8)) - 1n;
}

/** Reads the word of a write, masked. */
export function readWord(
  kernel: Kernel,
  write: Pick<ControlWrite, "gva" | "width" | "mask">,
): bigint {
  const word = write.width === 4
    ? BigInt(kernel.space.u32(write.gva))
    : kernel.space.u64(write.gva);
  return word & write.mask;
}

/**
 * Plans a write of some bits of a word.
 *
 * @returns `undefined` when the word holds the value already.
 */
export function planWrite(
  kernel: Kernel,
  what: string,
  where: string,
  gva: bigint,
  width: 4 | 8,
  after: bigint,
  options: { mask?: bigint; shown?: readonly [string, string] } = {},
): ControlWrite | undefined {
  const mask = options.mask ?? allBits(width);
  const before = readWord(kernel, { gva, width, mask });
  if (before === after) return undefined;
  const { shown } = options;
  return {
    what,
    where,
    gva,
    width,
    mask,
    before,
    after,
    ...(shown === undefined ? {} : { shown }),
  };
}

/** Replaces a word; `undefined` when `next` finds nothing to replace. */
function update(
  kernel: Kernel,
  write: ControlWrite,
  next: (word: bigint) => bigint | undefined,
): bigint | undefined {
  const { memory, space } = kernel;
  const { gpa } = space.translate(write.gva);
  for (let tries = 0; tries < 1000; tries++) {
    const word = write.width === 4
      ? BigInt(space.u32(write.gva))
      : space.u64(write.gva);
    const replacement = next(word);
    if (replacement === undefined) return undefined;
    const found = memory.compareExchange(gpa, write.width, word, replacement);
    if (found === word) return word;
  }
  throw new KernelError(
    `${write.what}: the guest changes ${write.where} all the time; nothing was written`,
  );
}

/**
 * Carries a write out.
 *
 * @throws {MemoryError} when the guest's memory is not writable.
 */
export function applyWrite(kernel: Kernel, write: ControlWrite): AppliedWrite {
  const bits = allBits(write.width);
  let found = 0n;
  update(kernel, write, (word) => {
    found = word & write.mask;
    return write.counts === true
      ? (word + write.after - write.before) & bits
      : (word & ~write.mask & bits) | write.after;
  });
  return { write, found };
}

/**
 * Takes a write back. A value that somebody else has changed since is left
 * alone: it is theirs now.
 *
 * @returns whether it was taken back.
 */
export function undoWrite(kernel: Kernel, applied: AppliedWrite): boolean {
  const { write, found } = applied;
  const bits = allBits(write.width);
  if (write.counts === true) {
    update(
      kernel,
      write,
      (word) => (word - (write.after - write.before)) & bits,
    );
    return true;
  }
  const undone = update(
    kernel,
    write,
    (word) =>
      (word & write.mask) === write.after
        ? (word & ~write.mask & bits) | found
        : undefined,
  );
  return undone !== undefined;
}

/**
 * Carries writes out in order; when one fails, those before it are taken back.
 *
 * @throws what the failing write threw.
 */
export function applyAll(
  kernel: Kernel,
  writes: readonly ControlWrite[],
): AppliedWrite[] {
  const applied: AppliedWrite[] = [];
  try {
    for (const write of writes) applied.push(applyWrite(kernel, write));
  } catch (error) {
    undoAll(kernel, applied);
    throw error;
  }
  return applied;
}

/**
 * Takes writes back, last one first.
 *
 * @returns those that somebody else had changed since, and that were left.
 */
export function undoAll(
  kernel: Kernel,
  applied: readonly AppliedWrite[],
): AppliedWrite[] {
  return applied.toReversed().filter((one) => !undoWrite(kernel, one));
}

/** A write as one line: `tracing_on  0 -> 1   trace_buffer.record_disabled`. */
export function writeText(write: ControlWrite): string {
  const [before, after] = write.shown ??
    [`0x${write.before.toString(16)}`, `0x${write.after.toString(16)}`];
  const change = `${before} -> ${after}`;
  return `${write.what.padEnd(16)} ${change.padEnd(32)} ${write.where} at 0x${
    write.gva.toString(16)
  }`;
}
