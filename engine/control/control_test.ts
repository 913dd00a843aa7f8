import assert from "node:assert/strict";
import fc from "fast-check";
import { KernelError, MemoryError } from "../base/errors.ts";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { BufferMemory } from "../memory/buffer_memory.ts";
import {
  applyAll,
  applyWrite,
  type ControlWrite,
  planWrite,
  readWord,
  undoAll,
  undoWrite,
  writeText,
} from "./control.ts";

const TYPES = fixtureTypes({ word: { size: 8, members: {} } });

function word(value: bigint) {
  const guest = new FixtureGuest(TYPES);
  const gva = guest.create("word");
  guest.setU64(gva, value);
  return { guest, gva, kernel: guest.kernel, now: () => guest.u64(gva) };
}

function planned(write: ControlWrite | undefined): ControlWrite {
  assert.ok(write);
  return write;
}

Deno.test("only what is to change is planned", () => {
  const { kernel, gva, now } = word(0x1234n);
  assert.equal(planWrite(kernel, "a", "b", gva, 8, 0x1234n), undefined);
  assert.equal(
    planWrite(kernel, "a", "b", gva, 4, 0x4n, { mask: 0xfn }),
    undefined,
  );
  assert.deepEqual(planWrite(kernel, "a", "b", gva, 4, 0n), {
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

Deno.test("a write changes its bits alone, and takes them back alone", () => {
  const { kernel, gva, guest, now } = word(0xaaaa_bbbb_0010_0005n);
  const write = planned(
    planWrite(kernel, "tracing_on", "record_disabled", gva, 4, 0n, {
      mask: 1n << 20n,
    }),
  );
  assert.equal(readWord(kernel, write), 1n << 20n);
  const applied = applyWrite(kernel, write);
  assert.equal(applied.found, 1n << 20n);
  assert.equal(now(), 0xaaaa_bbbb_0000_0005n);
  // What the guest does to the other bits meanwhile stays.
  guest.setU64(gva, 0xcccc_bbbb_0000_0007n);
  assert.equal(undoWrite(kernel, applied), true);
  assert.equal(now(), 0xcccc_bbbb_0010_0007n);
});

Deno.test("what somebody else has changed since is left", () => {
  const { kernel, gva, guest, now } = word(1n);
  const applied = applyWrite(
    kernel,
    planned(planWrite(kernel, "depth", "fgraph_max_depth", gva, 4, 5n)),
  );
  guest.setU32(gva, 9);
  assert.equal(undoWrite(kernel, applied), false);
  assert.equal(now(), 9n);
  // Undone by somebody else already: nothing to do.
  guest.setU32(gva, 1);
  assert.equal(undoWrite(kernel, applied), false);
  assert.equal(now(), 1n);
});

Deno.test("a value that changed between plan and write is what undo restores", () => {
  const { kernel, gva, guest, now } = word(1n);
  const write = planned(planWrite(kernel, "a", "b", gva, 8, 5n));
  guest.setU64(gva, 3n);
  const applied = applyWrite(kernel, write);
  assert.equal(applied.found, 3n);
  undoWrite(kernel, applied);
  assert.equal(now(), 3n);
});

Deno.test("counters are added to, and others may count too", () => {
  const { kernel, gva, guest, now } = word(0xffff_ffff_0000_0001n);
  const write: ControlWrite = {
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
  const applied = applyWrite(kernel, write);
  assert.equal(now() & 0xffffffffn, 8n);
  guest.setU32(gva, 10);
  assert.equal(undoWrite(kernel, applied), true);
  assert.equal(now(), 0xffff_ffff_0000_0009n);
  // Down to where it wraps, without touching its neighbour.
  const down = { ...write, before: 1n, after: 0n };
  guest.setU32(gva, 0);
  applyWrite(kernel, down);
  assert.equal(now(), 0xffff_ffff_ffff_ffffn);
});

/** Memory in which somebody else writes just before each exchange. */
class BusyMemory extends BufferMemory {
  before: (gpa: number) => void = () => {};

  override compareExchange(
    gpa: number,
    width: 4 | 8,
    expected: bigint,
    replacement: bigint,
  ): bigint {
    this.before(gpa);
    return super.compareExchange(gpa, width, expected, replacement);
  }
}

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

Deno.test("a word that changes meanwhile is read again", () => {
  const { guest, memory, gva } = busy();
  const { kernel } = guest;
  let left = 3;
  memory.before = () => {
    if (left-- > 0) guest.setU64(gva, guest.u64(gva) + 0x100n);
  };
  const write = planned(
    planWrite(kernel, "a", "b", gva, 8, 1n, { mask: 0xfn }),
  );
  applyWrite(kernel, write);
  assert.equal(guest.u64(gva), 0x301n);
  memory.before = () => guest.setU64(gva, guest.u64(gva) + 0x100n);
  assert.throws(() => applyWrite(kernel, write), (error) => {
    assert.ok(error instanceof KernelError);
    assert.match(error.message, /a: the guest changes b all the time/);
    return true;
  });
});

Deno.test("what somebody changes at the moment of undoing is left", () => {
  const { guest, memory, gva } = busy();
  const { kernel } = guest;
  const applied = applyWrite(
    kernel,
    planned(planWrite(kernel, "a", "b", gva, 8, 5n)),
  );
  memory.before = () => guest.setU64(gva, 77n);
  assert.equal(undoWrite(kernel, applied), false);
  assert.equal(guest.u64(gva), 77n);
});

Deno.test("when one write fails, those before it are taken back", () => {
  const { kernel, gva, now } = word(1n);
  const good = planned(planWrite(kernel, "a", "b", gva, 8, 5n));
  const bad = { ...good, gva: 0x1000n };
  assert.throws(() => applyAll(kernel, [good, bad]), MemoryError);
  assert.equal(now(), 1n);
});

Deno.test("memory that cannot be written to is refused", () => {
  const guest = new FixtureGuest(TYPES, {
    memory: (bytes) => new BufferMemory(bytes, { writable: false }),
  });
  const gva = guest.create("word");
  const write = planned(planWrite(guest.kernel, "a", "b", gva, 8, 5n));
  assert.throws(() => applyWrite(guest.kernel, write), /read-only/);
  assert.equal(guest.u64(gva), 0n);
});

Deno.test("whatever is written, undoing all of it restores every byte", () => {
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
            const write = planWrite(
              kernel,
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
            return [applyWrite(kernel, counts ? counter : write)];
          },
        );
        assert.deepEqual(undoAll(kernel, applied), []);
        const now = guest.bytes.slice(guest.gpa(base), guest.gpa(base) + 64);
        assert.deepEqual([...now], [...bytes]);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("a write as a line", () => {
  const { kernel, gva } = word(1n);
  const write = planned(planWrite(kernel, "depth", "max_depth", gva, 4, 255n));
  assert.match(
    writeText(write),
    /^depth +0x1 -> 0xff +max_depth at 0xffff8880000[0-9a-f]+$/,
  );
  assert.match(
    writeText({ ...write, shown: ["none", "many"] }),
    /none -> many/,
  );
});
