import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError } from "../base/errors.ts";
import { times } from "../base/long_fixture.ts";
import { Kernel } from "../kernel/core/kernel.ts";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { BufferMemory, BusyMemory } from "../memory/buffer_memory_fixture.ts";
import type { WordChange } from "./plan.ts";
import { undoChanges } from "./undo.ts";
import {
  applyWord,
  PlannedMemory,
  planWord,
  requireAsPlanned,
  StalePlanError,
  undoWord,
} from "./words.ts";

const TYPES = fixtureTypes({ word: { size: 8, members: {} } });

function word(value: bigint) {
  const guest = new FixtureGuest(TYPES);
  const gva = guest.create("word");
  guest.setU64(gva, value);
  return { guest, gva, kernel: guest.kernel, now: () => guest.u64(gva) };
}

function planned(write: WordChange | undefined): WordChange {
  assert.ok(write);
  return write;
}

Deno.test("only the bits to be changed are planned", () => {
  const { kernel, gva, now } = word(0x1234n);
  assert.equal(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 0x1234n),
    undefined,
  );
  assert.equal(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 4, 0x4n, { mask: 0xfn }),
    undefined,
  );
  assert.deepEqual(planWord(new PlannedMemory(kernel), "a", "b", gva, 4, 0n), {
    way: "word",
    what: "a",
    where: "b",
    gva,
    width: 4,
    mask: 0xffffffffn,
    before: 0x1234n,
    after: 0n,
  });
  assert.equal(now(), 0x1234n);
});

Deno.test("a write changes only its own bits, and so does its undo", () => {
  const { kernel, gva, guest, now } = word(0xaaaa_bbbb_0010_0005n);
  const write = planned(
    planWord(
      new PlannedMemory(kernel),
      "tracing_on",
      "record_disabled",
      gva,
      4,
      0n,
      {
        mask: 1n << 20n,
      },
    ),
  );
  assert.equal(
    BigInt(kernel.space.u32(gva)) & write.mask,
    1n << 20n,
  );
  const applied = applyWord(kernel, write);
  assert.equal(applied.found, 1n << 20n);
  assert.equal(now(), 0xaaaa_bbbb_0000_0005n);
  // Concurrent changes by the guest to the other bits are kept.
  guest.setU64(gva, 0xcccc_bbbb_0000_0007n);
  assert.equal(undoWord(kernel, applied).undone, true);
  assert.equal(now(), 0xcccc_bbbb_0010_0007n);
});

Deno.test("a value that somebody else has set since is kept", () => {
  const { kernel, gva, guest, now } = word(1n);
  const applied = applyWord(
    kernel,
    planned(
      planWord(
        new PlannedMemory(kernel),
        "depth",
        "fgraph_max_depth",
        gva,
        4,
        5n,
      ),
    ),
  );
  guest.setU32(gva, 9);
  assert.equal(undoWord(kernel, applied).undone, false);
  assert.equal(now(), 9n);
  assert.equal(undoWord(kernel, applied).holds, 9n);
  // Already undone by somebody else: nothing to do.
  guest.setU32(gva, 1);
  assert.equal(undoWord(kernel, applied).undone, false);
  assert.equal(now(), 1n);
});

Deno.test("the undo restores the value found at the write, not at planning", () => {
  const { kernel, gva, guest, now } = word(1n);
  const write = planned(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 5n),
  );
  guest.setU64(gva, 3n);
  const applied = applyWord(kernel, write);
  assert.equal(applied.found, 3n);
  undoWord(kernel, applied);
  assert.equal(now(), 3n);
});

Deno.test("counters are added to, so that others can count too", () => {
  const { kernel, gva, guest, now } = word(0xffff_ffff_0000_0001n);
  const write: WordChange = {
    way: "word",
    what: "cpu0",
    where: "record_disabled",
    gva,
    width: 4,
    mask: 0xffffffffn,
    before: 1n,
    after: 2n,
    counts: true,
  };
  guest.setU32(gva, 7);
  const applied = applyWord(kernel, write);
  assert.equal(now() & 0xffffffffn, 8n);
  guest.setU32(gva, 10);
  assert.equal(undoWord(kernel, applied).undone, true);
  assert.equal(now(), 0xffff_ffff_0000_0009n);
  // Down past zero, without affecting the neighbouring bits.
  const down = { ...write, before: 1n, after: 0n };
  guest.setU32(gva, 0);
  applyWord(kernel, down);
  assert.equal(now(), 0xffff_ffff_ffff_ffffn);
});

function busy() {
  const memories: BusyMemory[] = [];
  const guest = new FixtureGuest(TYPES, {
    memory: (bytes) => {
      memories.push(new BusyMemory(bytes));
      return memories[0];
    },
  });
  return { guest, memory: memories[0], gva: guest.create("word") };
}

Deno.test("a word that changes during the write is read again", () => {
  const { guest, memory, gva } = busy();
  const { kernel } = guest;
  let left = 3;
  memory.before = () => {
    if (left-- > 0) guest.setU64(gva, guest.u64(gva) + 0x100n);
  };
  const write = planned(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 1n, { mask: 0xfn }),
  );
  applyWord(kernel, write);
  assert.equal(guest.u64(gva), 0x301n);
  memory.before = () => guest.setU64(gva, guest.u64(gva) + 0x100n);
  assert.throws(() => applyWord(kernel, write), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /a: the guest changes b all the time/);
    return true;
  });
});

Deno.test("a change by somebody else at the moment of the undo is kept", () => {
  const { guest, memory, gva } = busy();
  const { kernel } = guest;
  const applied = applyWord(
    kernel,
    planned(planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 5n)),
  );
  memory.before = () => guest.setU64(gva, 77n);
  assert.equal(undoWord(kernel, applied).undone, false);
  assert.equal(guest.u64(gva), 77n);
});

Deno.test("read-only memory is refused", () => {
  const guest = new FixtureGuest(TYPES, {
    memory: (bytes) => new BufferMemory(bytes, { writable: false }),
  });
  const gva = guest.create("word");
  const write = planned(
    planWord(new PlannedMemory(guest.kernel), "a", "b", gva, 8, 5n),
  );
  assert.throws(() => applyWord(guest.kernel, write), /read-only/);
  assert.equal(guest.u64(gva), 0n);
});

Deno.test("whatever is written, undoing everything restores every byte", () => {
  const change = fc.record({
    at: fc.nat(7),
    width: fc.constantFrom<(4 | 8)[]>(4, 8),
    mask: fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
    value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    counts: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 12 }),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (changes, bytes) => {
        const guest = new FixtureGuest(TYPES, { size: 1 << 17 });
        const base = guest.allocate(64);
        guest.bytes.set(bytes, guest.gpa(base));
        const { kernel } = guest;
        const applied = changes.flatMap(
          ({ at, width, mask, value, counts }) => {
            const bits = (1n << BigInt(width * 8)) - 1n;
            const gva = base + BigInt(at * 8);
            const within = mask & bits;
            const write = planWord(
              new PlannedMemory(kernel),
              "a",
              "b",
              gva,
              width,
              value & within,
              {
                mask: within,
              },
            );
            if (write === undefined) return [];
            const counter = { ...write, mask: bits, counts: true };
            return [applyWord(kernel, counts ? counter : write)];
          },
        );
        for (const one of applied.toReversed()) {
          assert.equal(undoWord(kernel, one).undone, true);
        }
        const now = guest.bytes.slice(guest.gpa(base), guest.gpa(base) + 64);
        assert.deepEqual([...now], [...bytes]);
      },
    ),
    { numRuns: times(50) },
  );
});

Deno.test("a counter that somebody has counted down to 0 stays 0", () => {
  const { kernel, gva, guest, now } = word(0n);
  const applied = applyWord(kernel, {
    way: "word",
    what: "cpu0",
    where: "record_disabled",
    gva,
    width: 4,
    mask: 0xffffffffn,
    before: 0n,
    after: 1n,
    counts: true,
  });
  guest.setU32(gva, 0);
  assert.deepEqual(undoWord(kernel, applied), { undone: false, holds: 0n });
  assert.equal(now(), 0n);
});

Deno.test("a count that was about to be written, and was not, is not undone", () => {
  const { kernel, gva, guest, now } = word(5n);
  const change: WordChange = {
    way: "word",
    what: "cpu0",
    where: "record_disabled",
    gva,
    width: 4,
    mask: 0xffffffffn,
    before: 5n,
    after: 6n,
    counts: true,
  };
  const pending = { way: "word", change, found: 5n, pending: true } as const;
  assert.deepEqual(undoWord(kernel, pending), { undone: false, holds: 5n });
  assert.equal(now(), 5n);
  // It was written after all.
  guest.setU32(gva, 6);
  assert.equal(undoWord(kernel, pending).undone, true);
  assert.equal(now(), 5n);
});

Deno.test("a later change is planned on the result of an earlier one", () => {
  const { kernel, gva, now } = word(1n);
  const memory = new PlannedMemory(kernel);
  const off = planned(planWord(memory, "a", "b", gva, 4, 0n, { mask: 1n }));
  const on = planned(planWord(memory, "a", "b", gva, 4, 1n, { mask: 1n }));
  assert.deepEqual([off.before, off.after], [1n, 0n]);
  assert.deepEqual([on.before, on.after], [0n, 1n]);
  assert.equal(planWord(memory, "a", "b", gva, 4, 1n, { mask: 1n }), undefined);
  assert.equal(now(), 1n);
});

Deno.test("an exact change is refused when the word has changed", () => {
  const { kernel, gva, guest, now } = word(1n);
  const memory = new PlannedMemory(kernel);
  const options = { exact: true };
  const first = planned(planWord(memory, "a", "b", gva, 8, 5n, options));
  const second = planned(planWord(memory, "a", "b", gva, 8, 6n, options));
  requireAsPlanned(kernel, [first, second]);
  guest.setU64(gva, 3n);
  assert.throws(
    () => requireAsPlanned(kernel, [first, second]),
    StalePlanError,
  );
  assert.throws(
    () => applyWord(kernel, first),
    /has changed its a since the plan was made \(b is 0x3 and not 0x1\)/,
  );
  assert.equal(now(), 3n);
});

Deno.test("nothing is written, and nothing undone, once memory holds another kernel", async () => {
  const { guest, gva, now } = word(3n);
  const { arch, space, symbols, types, live, facts } = guest.kernel;
  let changed: string | undefined;
  const kernel = new Kernel(arch, space, symbols, types, live, facts, {
    candidates: [],
    changed: () => changed,
    boot: "",
    life: () => "runs",
    measure: () => {},
    stillMs: () => 0,
    tables: () => assert.fail("not needed"),
    order: () => assert.fail("not needed"),
  });
  const change = planned(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 5n),
  );
  changed = "its banner is another";
  assert.throws(
    () => requireAsPlanned(kernel, [change]),
    (error) =>
      error instanceof StalePlanError &&
      /no longer runs the kernel that was opened: its banner is another; nothing is written/
        .test(error.message),
  );
  changed = undefined;
  requireAsPlanned(kernel, [change]);
  const applied = applyWord(kernel, change);
  changed = "its banner is another";
  const target = { kernel, tracefs: undefined };
  const [left] = await undoChanges(target, [applied]);
  assert.equal(left.why, "moved");
  assert.match(left.reason ?? "", /its banner is another/);
  assert.equal(now(), 5n);
  changed = undefined;
  assert.deepEqual(await undoChanges(target, [applied]), []);
  assert.equal(now(), 3n);
});

Deno.test("a guard that cannot be read any more is one that does not hold", () => {
  const { guest, gva, now } = word(3n);
  const { kernel } = guest;
  const page = guest.image();
  const change = planned(
    planWord(new PlannedMemory(kernel), "a", "b", gva, 8, 5n, {
      guards: [{ where: "owner", gva: page, value: 0n }],
    }),
  );
  const applied = applyWord(kernel, change);
  guest.unmap(page);
  assert.throws(() => applyWord(kernel, change), StalePlanError);
  assert.deepEqual(undoWord(kernel, applied), {
    undone: false,
    holds: 0n,
    moved: "owner cannot be read any more",
  });
  assert.equal(now(), 5n);
});
