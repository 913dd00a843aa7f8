/**
 * The flags of an entry as `trace_print_lat_fmt` writes them (`d..2.`), with the
 * bits of the kernel's own `enum trace_flag_type`.
 *
 * @module
 */
import { KernelError } from "../../../base/errors.ts";
import type { Types } from "../../../kernel/btf/types.ts";

/** Bits of `trace_entry.flags`; 0 for those that the kernel has not. */
export interface EntryFlags {
  readonly irqsOff: number;
  /** Kernels before lazy preemption (up to 6.12) show it as `X`. */
  readonly irqsNoSupport: number;
  readonly needResched: number;
  /** PREEMPT_RT kernels since 6.12, all since 6.13. */
  readonly needReschedLazy: number;
  readonly hardirq: number;
  readonly softirq: number;
  readonly preemptResched: number;
  readonly nmi: number;
  /** Since 5.17. */
  readonly bhOff: number;
  /**
   * Where kernels with the patch for PREEMPT_RT (up to 6.11) keep in an entry
   * how often lazy preemption is disabled, in bytes; 0 for all others. They show
   * it, and NEED_RESCHED_LAZY, in columns of their own.
   */
  readonly lazyCountAt: number;
  /**
   * Whether the upper half of the count is how often migration is disabled
   * (since 5.15). Before, all of it is the depth of preemption.
   */
  readonly migrateCount: boolean;
}

/** Those that are bits. */
type Bit = Exclude<keyof EntryFlags, "lazyCountAt" | "migrateCount">;

const NAMES: readonly (readonly [Bit, string])[] = [
  ["irqsOff", "IRQS_OFF"],
  ["irqsNoSupport", "IRQS_NOSUPPORT"],
  ["needResched", "NEED_RESCHED"],
  ["needReschedLazy", "NEED_RESCHED_LAZY"],
  ["hardirq", "HARDIRQ"],
  ["softirq", "SOFTIRQ"],
  ["preemptResched", "PREEMPT_RESCHED"],
  ["nmi", "NMI"],
  ["bhOff", "BH_OFF"],
];

/**
 * Those that not every known kernel has: one of two meanings of the bit 2, and
 * BH_OFF ("tracing: Account bottom half disabled sections", 5.17).
 */
const OPTIONAL: ReadonlySet<Bit> = new Set<Bit>([
  "irqsNoSupport",
  "needReschedLazy",
  "bhOff",
]);

/** The flags of kernels up to 6.12 (seen in 6.1 and 6.12). */
export const FLAGS_BEFORE_LAZY: EntryFlags = {
  irqsOff: 0x01,
  irqsNoSupport: 0x02,
  needResched: 0x04,
  needReschedLazy: 0,
  hardirq: 0x08,
  softirq: 0x10,
  preemptResched: 0x20,
  nmi: 0x40,
  bhOff: 0x80,
  lazyCountAt: 0,
  migrateCount: true,
};

/**
 * The kernel's bits.
 *
 * @param hasMigrateColumn asked only of kernels without BH_OFF, which came after
 * that column
 * @throws {KernelError} when a flag is missing that all known kernels have, or
 * there is one that is not known.
 */
export function entryFlags(
  types: Pick<Types, "tryEnum" | "tryOffset">,
  hasMigrateColumn: () => boolean,
): EntryFlags {
  const found = types.tryEnum("trace_flag_type");
  if (found === undefined) {
    throw new KernelError(
      "this kernel's types have no enum trace_flag_type: what the flags of " +
        "trace entries mean is not known to xftrace",
    );
  }
  const left = new Map(found);
  const flags: Record<Bit, number> = { ...FLAGS_BEFORE_LAZY };
  for (const [key, name] of NAMES) {
    const full = `TRACE_FLAG_${name}`;
    const value = left.get(full);
    if (value === undefined && !OPTIONAL.has(key)) {
      throw new KernelError(
        `this kernel's enum trace_flag_type has no ${full}: what the flags of ` +
          "trace entries mean is not known to xftrace",
      );
    }
    flags[key] = value ?? 0;
    left.delete(full);
  }
  const [unknown] = left.keys();
  if (unknown === undefined) {
    if (types.tryOffset("trace_entry", "migrate_disable") !== undefined) {
      throw new KernelError(
        "this kernel's trace entries have the member migrate_disable, which " +
          "xftrace does not know how to print",
      );
    }
    return {
      ...flags,
      lazyCountAt: types.tryOffset("trace_entry", "preempt_lazy_count") ?? 0,
      migrateCount: flags.bhOff !== 0 || hasMigrateColumn(),
    };
  }
  throw new KernelError(
    `this kernel's trace entries have the flag ${unknown}, which xftrace does ` +
      "not know how to print",
  );
}

/**
 * Writes the flags of an entry.
 *
 * @param words the memory that holds it
 * @param at number of its first word (type, flags, preempt_count)
 */
export type FlagWriter = (words: Uint32Array, at: number) => string;

/** A function that writes the flags of entries. */
export function flagWriter(bits: EntryFlags): FlagWriter {
  const flags = Array.from({ length: 256 }, (_, each) => flagText(each, bits));
  const { lazyCountAt, migrateCount } = bits;
  if (lazyCountAt === 0) {
    const counts = migrateCount ? COUNTS : WHOLE_COUNTS;
    return (words, at) =>
      flags[words[at] >>> 16 & 0xff] + counts[words[at] >>> 24];
  }
  const shift = lazyCountAt % 4 * 8;
  return (words, at) => {
    const [preempt, migrate] = COUNTS[words[at] >>> 24];
    const lazy = words[at + (lazyCountAt >>> 2)] >>> shift & 0xff;
    return flags[words[at] >>> 16 & 0xff] + preempt + digit(lazy) + migrate;
  };
}

const COUNTS: readonly string[] = Array.from({ length: 256 }, countText);
const WHOLE_COUNTS: readonly string[] = Array.from(
  { length: 256 },
  (_, count) => digit(count),
);

function flagText(flags: number, bits: EntryFlags): string {
  const has = (bit: Bit) => (flags & bits[bit]) !== 0;
  const irqs = has("irqsOff")
    ? (has("bhOff") ? "D" : "d")
    : has("bhOff")
    ? "b"
    : has("irqsNoSupport")
    ? "X"
    : ".";
  const need = (has("needResched") ? 1 : 0) |
    (has("needReschedLazy") ? 2 : 0) | (has("preemptResched") ? 4 : 0);
  const context = has("nmi")
    ? (has("hardirq") ? "Z" : "z")
    : has("hardirq")
    ? (has("softirq") ? "H" : "h")
    : has("softirq")
    ? "s"
    : ".";
  if (bits.lazyCountAt === 0) return irqs + RESCHED[need] + context;
  const lazy = has("needReschedLazy") ? "L" : ".";
  return irqs + RESCHED[need & ~2] + lazy + context;
}

/** By need_resched (1), need_resched_lazy (2) and preempt_resched (4). */
const RESCHED = ".nlbpNLB";

function digit(value: number): string {
  return value === 0 ? "." : value.toString(16);
}

function countText(_: unknown, count: number): string {
  return digit(count & 0xf) + digit(count >> 4);
}
