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
}

const NAMES: readonly [keyof EntryFlags, string][] = [
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
const OPTIONAL: ReadonlySet<keyof EntryFlags> = new Set<keyof EntryFlags>([
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
};

/**
 * The kernel's bits.
 *
 * @throws {KernelError} when a flag is missing that all known kernels have, or
 * there is one that is not known.
 */
export function entryFlags(types: Pick<Types, "tryEnum">): EntryFlags {
  const found = types.tryEnum("trace_flag_type");
  if (found === undefined) {
    throw new KernelError(
      "this kernel's types have no enum trace_flag_type: what the flags of " +
        "trace entries mean is not known to xftrace",
    );
  }
  const left = new Map(found);
  const flags: Record<keyof EntryFlags, number> = { ...FLAGS_BEFORE_LAZY };
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
  if (unknown === undefined) return flags;
  throw new KernelError(
    `this kernel's trace entries have the flag ${unknown}, which xftrace does ` +
      "not know how to print",
  );
}

/**
 * A function that writes the flags of an entry, from its first word (type,
 * flags, preempt_count).
 */
export function flagWriter(bits: EntryFlags): (word: number) => string {
  const flags = Array.from({ length: 256 }, (_, each) => flagText(each, bits));
  return (word) => flags[word >>> 16 & 0xff] + COUNTS[word >>> 24];
}

const COUNTS: readonly string[] = Array.from({ length: 256 }, countText);

function flagText(flags: number, bits: EntryFlags): string {
  const has = (bit: keyof EntryFlags) => (flags & bits[bit]) !== 0;
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
  return irqs + RESCHED[need] + context;
}

/** By need_resched (1), need_resched_lazy (2) and preempt_resched (4). */
const RESCHED = ".nlbpNLB";

function countText(_: unknown, count: number): string {
  const digit = (value: number) => value === 0 ? "." : value.toString(16);
  return digit(count & 0xf) + digit(count >> 4);
}
