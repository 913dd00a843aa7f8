/** Flags of entries, as every kind of kernel writes them. */
import assert from "node:assert/strict";
import { entryFlags, FLAGS_BEFORE_LAZY, flagWriter } from "./entry_flags.ts";

const KINDS = [
  ["IRQS_OFF", 1],
  ["NEED_RESCHED", 4],
  ["HARDIRQ", 8],
  ["SOFTIRQ", 16],
  ["PREEMPT_RESCHED", 32],
  ["NMI", 64],
  ["BH_OFF", 128],
] as const;

function types(
  more: readonly (readonly [string, number])[],
  without = "",
  lazyCount?: number,
) {
  const all = [...KINDS, ...more].filter(([name]) => name !== without);
  const values = new Map(
    all.map(([name, bit]) => [`TRACE_FLAG_${name}`, bit]),
  );
  return {
    tryOffset: (struct: string, member: string) =>
      `${struct}.${member}` === "trace_entry.preempt_lazy_count"
        ? lazyCount
        : undefined,
    tryEnum: (name: string) => name === "trace_flag_type" ? values : undefined,
  };
}

/** Kernels with BH_OFF have the column. */
function never(): boolean {
  throw new Error("asked of a kernel with BH_OFF");
}

Deno.test("flags with lazy preemption, and before it", () => {
  const old = entryFlags(types([["IRQS_NOSUPPORT", 2]]), never);
  assert.deepEqual(old, FLAGS_BEFORE_LAZY);
  const before = flagWriter(old);
  const lazy = flagWriter(entryFlags(types([["NEED_RESCHED_LAZY", 2]]), never));
  const text = (write: typeof lazy, flags: number, count = 0) =>
    write(Uint32Array.of(flags << 16 | count << 24), 0);
  assert.deepEqual(
    [0, 2, 4, 6, 32, 34, 36, 38].map((flags) => text(lazy, flags)[1]),
    [".", "l", "n", "b", "p", "L", "N", "B"],
  );
  assert.equal(text(before, 2), "X....");
  assert.equal(text(before, 2 | 32), "Xp...");
  assert.equal(text(lazy, 1 | 128 | 8 | 16, 0x21), "D.H12");
  assert.equal(text(lazy, 64 | 8), "..Z..");
});

Deno.test("kernels with the patch for PREEMPT_RT have columns for lazy preemption", () => {
  // As in Debian's 6.1: PREEMPT_RESCHED is there, and no bit.
  const more = [["PREEMPT_RESCHED", 0], ["NEED_RESCHED_LAZY", 32]] as const;
  const write = flagWriter(entryFlags(types(more, "", 8), never));
  const text = (flags: number, count: number, lazy: number) =>
    write(Uint32Array.of(7, flags << 16 | count << 24, 42, lazy), 1);
  assert.equal(text(1, 2, 0), "d...2..");
  assert.equal(text(1 | 32, 2, 0), "d.L.2..");
  assert.equal(text(1 | 4 | 8, 0x11, 1), "dn.h111");
  assert.equal(text(32 | 4, 0, 255), ".nL..ff.");
});

Deno.test("before 5.15, the count is the depth of preemption alone", () => {
  const kernel = types([["IRQS_NOSUPPORT", 2]], "BH_OFF");
  const text = (has: boolean, flags: number, count: number) =>
    flagWriter(entryFlags(kernel, () => has))(
      Uint32Array.of(flags << 16 | count << 24),
      0,
    );
  assert.equal(text(true, 1, 0x21), "d..12");
  assert.equal(text(false, 1, 0x21), "d..21");
  assert.equal(text(false, 1, 1), "d..1");
  assert.equal(text(false, 4 | 8, 0), ".nh.");
});

Deno.test("flags that are not those of a known kernel are refused by name", () => {
  assert.throws(
    () => entryFlags(types([["NEED_RESCHED_LAZIER", 2]]), never),
    /the flag TRACE_FLAG_NEED_RESCHED_LAZIER, which xftrace does not know/,
  );
  assert.throws(
    () => entryFlags(types([["IRQS_NOSUPPORT", 2]], "HARDIRQ"), never),
    /has no TRACE_FLAG_HARDIRQ/,
  );
  assert.throws(
    () =>
      entryFlags(
        { tryEnum: () => undefined, tryOffset: () => undefined },
        never,
      ),
    /no enum trace_flag_type/,
  );
});
