import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { EventColumns, KIND, PageArena } from "./columns.ts";
import { PAGE_STATUS, PageDecoder, pageStatusName } from "./page.ts";
import { LAYOUT_6_1 } from "./layout_fixture.ts";

const DATA = LAYOUT_6_1.page.data;

/** Builds pages event by event, like the kernel's writer. */
class PageBuilder {
  readonly words: number[] = [];

  /** A data event with `payload` words, after a delta. */
  event(delta: number, payload: readonly number[]): this {
    if (payload.length <= 28) {
      this.words.push((delta << 5 | payload.length) >>> 0, ...payload);
    } else {
      this.words.push((delta << 5) >>> 0, payload.length * 4 + 4, ...payload);
    }
    return this;
  }

  discarded(delta: number, payloadWords: number): this {
    const body = Array.from({ length: payloadWords - 1 }, () => 0xdead);
    this.words.push((delta << 5 | 29) >>> 0, payloadWords * 4, ...body);
    return this;
  }

  extend(delta: bigint): this {
    this.words.push(
      Number(delta & 0x7ffffffn) * 32 + 30,
      Number(delta >> 27n),
    );
    return this;
  }

  absolute(stamp: bigint): this {
    this.words.push(
      Number(stamp & 0x7ffffffn) * 32 + 31,
      Number(stamp >> 27n & 0xffffffffn),
    );
    return this;
  }

  padding(): this {
    this.words.push(29);
    return this;
  }
}

interface Decoded {
  readonly arena: PageArena;
  readonly columns: EventColumns;
  readonly decoder: PageDecoder;
  readonly status: number;
}

function decode(
  words: readonly number[],
  options: {
    stamp?: bigint;
    epoch?: bigint;
    commit?: number;
    timeStart?: number;
    from?: number;
  } = {},
): Decoded {
  const arena = new PageArena(4096, 3);
  arena.acquire();
  const slot = arena.acquire();
  const stamp = options.stamp ?? 1000n;
  arena.view.setBigUint64(slot, stamp, true);
  arena.view.setUint32(slot + 8, options.commit ?? words.length * 4, true);
  arena.words.set(words, (slot + DATA) / 4);
  const columns = new EventColumns(options.epoch ?? stamp);
  const decoder = new PageDecoder(LAYOUT_6_1, columns);
  decoder.timeStart = options.timeStart ?? -Infinity;
  const status = decoder.decodeSlot(arena, slot, 3, options.from ?? 0);
  return { arena, columns, decoder, status };
}

function column(values: ArrayLike<number>, length: number): number[] {
  return Array.from({ length }, (_, i) => values[i]);
}

const header = (type: number, pid: number) => [type, pid >>> 0];

Deno.test("data events become rows", () => {
  const page = new PageBuilder()
    .event(0, [...header(333, 42), 7])
    .event(5, [...header(334, -1), 8, 9]);
  const { arena, columns, decoder, status } = decode(page.words);
  assert.equal(status, PAGE_STATUS.ok);
  assert.equal(columns.length, 2);
  assert.equal(decoder.events, 2);
  assert.deepEqual(column(columns.ts, 2), [0, 5]);
  assert.deepEqual(column(columns.cpu, 2), [3, 3]);
  assert.deepEqual(column(columns.type, 2), [333, 334]);
  assert.deepEqual(column(columns.pid, 2), [42, -1]);
  assert.deepEqual(column(columns.size, 2), [12, 16]);
  assert.deepEqual(column(columns.kind, 2), [KIND.other, KIND.other]);
  assert.equal(arena.words[columns.offset[1] / 4 + 3], 9);
  assert.equal(decoder.nextOffset, page.words.length * 4);
  assert.equal(decoder.lastTs, 5);
});

Deno.test("long events carry their length in array[0]", () => {
  const payload = [...header(5, 1), ...Array.from({ length: 40 }, (_, i) => i)];
  const { arena, columns, status } = decode(
    new PageBuilder().event(1, payload).event(1, header(6, 2)).words,
  );
  assert.equal(status, PAGE_STATUS.ok);
  assert.deepEqual(column(columns.size, 2), [42 * 4, 8]);
  assert.equal(arena.words[columns.offset[0] / 4 + 41], 39);
});

Deno.test("graph events fill the graph's columns", () => {
  const page = new PageBuilder()
    .event(0, [...header(11, 9), 0x81000010, 0xffffffff, 2])
    .event(
      700,
      // deno-fmt-ignore
      [...header(10, 9), 0x81000010, 0xffffffff, 2, 4, 0xfffffff0, 1, 0x10, 2],
    );
  const { columns } = decode(page.words);
  assert.deepEqual(column(columns.kind, 2), [KIND.entry, KIND.return]);
  assert.deepEqual(column(columns.depth, 2), [2, 2]);
  assert.equal(columns.functionAt(0), 0xffffffff81000010n);
  assert.equal(columns.functionAt(1), 0xffffffff81000010n);
  // From 0x1_fffffff0 to 0x2_00000010: a carry between the halves.
  assert.deepEqual(column(columns.duration, 2), [0, 0x20]);
});

Deno.test("a truncated graph event is refused, and the events before it are kept", () => {
  const { columns, status } = decode(
    new PageBuilder().event(0, header(7, 1)).event(0, header(11, 1)).words,
  );
  assert.equal(status, PAGE_STATUS.shortEvent);
  assert.equal(columns.length, 1);
});

Deno.test("discarded events are skipped and their deltas do not count", () => {
  const { columns, decoder } = decode(
    new PageBuilder().event(1, header(7, 1)).discarded(100, 6)
      .event(2, header(8, 1)).words,
  );
  assert.deepEqual(column(columns.ts, 2), [1, 3]);
  assert.equal(decoder.discarded, 1);
});

Deno.test("padding without a delta ends the page", () => {
  const { columns, status, decoder } = decode(
    [...new PageBuilder().event(1, header(7, 1)).padding().words, 1, 2, 3, 4],
  );
  assert.equal(status, PAGE_STATUS.ok);
  assert.equal(columns.length, 1);
  assert.equal(decoder.nextOffset, (3 + 1 + 4) * 4);
});

Deno.test("time extends add up beyond 27 bits", () => {
  const delta = 0x12345678ab1n;
  const { columns } = decode(
    new PageBuilder().extend(delta).event(3, header(7, 1)).words,
  );
  assert.equal(columns.ts[0], Number(delta) + 3);
});

Deno.test("absolute stamps replace the time", () => {
  const stamp = 0x1234567_89abcdefn;
  const { columns } = decode(
    new PageBuilder().absolute(stamp).event(0, header(7, 1)).words,
    { epoch: stamp - 5n },
  );
  assert.equal(columns.ts[0], 5);
});

Deno.test("the upper five bits of an absolute stamp come from the page's stamp", () => {
  const high = 0xa8n << 56n;
  const before = high | 0x7ffffffffffff00n;
  const same = decode(
    new PageBuilder().absolute(0x7ffffffffffff80n).event(0, header(7, 1)).words,
    { stamp: before },
  );
  assert.equal(same.columns.ts[0], 0x80);
  // The 59 bits have wrapped around: the stamp is smaller than the previous
  // one.
  const wrapped = decode(
    new PageBuilder().absolute(0x10n).event(0, header(7, 1)).words,
    { stamp: before },
  );
  assert.equal(wrapped.columns.ts[0], 0x110);
});

Deno.test("events before time_start are skipped", () => {
  const page = new PageBuilder().event(1, header(7, 1)).event(1, header(8, 1))
    .event(1, header(9, 1));
  const { columns, decoder } = decode(page.words, { timeStart: 2 });
  assert.deepEqual(column(columns.type, 2), [8, 9]);
  assert.equal(decoder.skipped, 1);
});

Deno.test("decoding can start after the reader's position", () => {
  const page = new PageBuilder().event(1, header(7, 1)).extend(1n << 30n)
    .event(1, header(8, 1)).event(1, header(9, 1));
  const { columns, status } = decode(page.words, { from: 12 });
  assert.equal(status, PAGE_STATUS.ok);
  assert.deepEqual(column(columns.type, 2), [8, 9]);
  assert.deepEqual(column(columns.ts, 2), [2 ** 30 + 2, 2 ** 30 + 3]);
});

Deno.test("missed events are reported, with their count if it is stored", () => {
  const words = new PageBuilder().event(1, header(7, 1)).words;
  const unknown = decode(words, { commit: 12 + 0x80000000 });
  assert.equal(unknown.status, PAGE_STATUS.ok);
  assert.deepEqual(unknown.columns.lost, [{ row: 0, cpu: 3, count: -1 }]);
  const known = decode([...words, 77, 1], { commit: 12 + 0xc0000000 });
  assert.deepEqual(known.columns.lost, [
    { row: 0, cpu: 3, count: 77 + 2 ** 32 },
  ]);
  assert.equal(known.columns.length, 1);
});

Deno.test("bytes that are not a page give a status that says so", () => {
  const status = (words: number[], commit?: number) =>
    pageStatusName(
      decode(words, { commit }).status as Parameters<typeof pageStatusName>[0],
    );
  assert.equal(status([], 4096), "badCommit");
  assert.equal(status([], 6), "badCommit");
  assert.equal(status([0, 0, 0, 0]), "zeroLength");
  assert.equal(status([28, 1, 2]), "truncated");
  assert.equal(status([0, 0xfffffff0, 2]), "truncated");
  assert.equal(status([0]), "truncated");
  assert.equal(status([1, 1]), "shortEvent");
  assert.equal(status([29 + 32, 0, 0]), "zeroLength");
  assert.equal(status([29 + 32, 0xffffffff, 0]), "truncated");
  // array[0] + 4 is 2^32: a step of zero, if it were truncated to 32 bits.
  assert.equal(status([29 + 32, 0xfffffffc, 0]), "truncated");
  assert.equal(status([29 + 32, 400, 0]), "truncated");
  assert.equal(status([30 + 32]), "truncated");
});

/** Pages that the kernel could have written. */
const validPage = fc.array(
  fc.oneof(
    fc.record({
      what: fc.constant("event"),
      delta: fc.nat(1000),
      n: fc.nat(40),
    }),
    fc.record({
      what: fc.constant("discarded"),
      delta: fc.integer({ min: 1, max: 9 }),
      n: fc.nat(8),
    }),
    fc.record({
      what: fc.constant("extend"),
      delta: fc.nat(1e9),
      n: fc.nat(1),
    }),
  ),
  { maxLength: 20 },
);

Deno.test("a page that grows gives the same rows as the complete page", () => {
  fc.assert(
    fc.property(validPage, fc.infiniteStream(fc.boolean()), (events, cuts) => {
      const page = new PageBuilder();
      const commits = [0];
      for (const { what, delta, n } of events) {
        if (what === "event") {
          page.event(delta, [...header(400, n), ...Array(n).fill(n)]);
        } else if (what === "discarded") page.discarded(delta, n + 1);
        else page.extend(BigInt(delta));
        if (cuts.next().value) commits.push(page.words.length * 4);
      }
      commits.push(page.words.length * 4);
      const whole = decode(page.words);
      assert.equal(whole.status, PAGE_STATUS.ok);
      const { arena } = whole;
      const columns = new EventColumns(1000n);
      const decoder = new PageDecoder(LAYOUT_6_1, columns);
      for (const commit of commits) {
        const status = decoder.decode(
          arena,
          4096,
          3,
          commit,
          decoder.nextOffset,
          decoder.lastTs,
        );
        assert.equal(status, PAGE_STATUS.ok);
      }
      assert.equal(columns.length, whole.columns.length);
      for (const name of ["ts", "type", "pid", "offset", "size"] as const) {
        assert.deepEqual(
          column(columns[name], columns.length),
          column(whole.columns[name], columns.length),
        );
      }
    }),
  );
});

Deno.test("whatever the bytes, decoding ends within the page", () => {
  // Words that look like headers make long runs likely.
  const word = fc.oneof(
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.nat(31),
    fc.nat(4096),
    fc.integer({ min: 0, max: 40 }).map((n) => n << 5 | 29),
    fc.integer({ min: 0xfffffff0, max: 0xffffffff }),
  );
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 1020 }),
      fc.oneof(fc.nat(4080), fc.integer({ min: 0, max: 0xffffffff })),
      fc.nat(4100),
      (words, commit, from) => {
        const { columns, decoder, arena } = decode(words, { commit, from });
        const end = (commit & 0x3fffffff) >>> 0;
        assert.ok(decoder.nextOffset <= Math.max(end, from));
        for (let row = 0; row < columns.length; row++) {
          const offset = columns.offset[row];
          assert.ok(offset >= 4096 + DATA);
          assert.ok(offset + columns.size[row] <= 4096 + DATA + end);
          assert.ok(offset + columns.size[row] <= arena.byteLength);
        }
      },
    ),
    { numRuns: times(2000) },
  );
});
