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

function types(more: readonly (readonly [string, number])[], without = "") {
  const all = [...KINDS, ...more].filter(([name]) => name !== without);
  const values = new Map(
    all.map(([name, bit]) => [`TRACE_FLAG_${name}`, bit]),
  );
  return {
    tryEnum: (name: string) => name === "trace_flag_type" ? values : undefined,
  };
}

Deno.test("flags with lazy preemption, and before it", () => {
  const old = entryFlags(types([["IRQS_NOSUPPORT", 2]]));
  assert.deepEqual(old, FLAGS_BEFORE_LAZY);
  const before = flagWriter(old);
  const lazy = flagWriter(entryFlags(types([["NEED_RESCHED_LAZY", 2]])));
  const text = (write: typeof lazy, flags: number, count = 0) =>
    write(flags << 16 | count << 24);
  assert.deepEqual(
    [0, 2, 4, 6, 32, 34, 36, 38].map((flags) => text(lazy, flags)[1]),
    [".", "l", "n", "b", "p", "L", "N", "B"],
  );
  assert.equal(text(before, 2), "X....");
  assert.equal(text(before, 2 | 32), "Xp...");
  assert.equal(text(lazy, 1 | 128 | 8 | 16, 0x21), "D.H12");
  assert.equal(text(lazy, 64 | 8), "..Z..");
});

Deno.test("flags that are not those of a known kernel are refused by name", () => {
  assert.throws(
    () => entryFlags(types([["NEED_RESCHED_LAZIER", 2]])),
    /the flag TRACE_FLAG_NEED_RESCHED_LAZIER, which xftrace does not know/,
  );
  assert.throws(
    () => entryFlags(types([["IRQS_NOSUPPORT", 2]], "HARDIRQ")),
    /has no TRACE_FLAG_HARDIRQ/,
  );
  assert.throws(
    () => entryFlags({ tryEnum: () => undefined }),
    /no enum trace_flag_type/,
  );
});
