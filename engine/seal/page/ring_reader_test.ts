import assert from "node:assert/strict";
import { ENTRY, ENTRY_WORDS } from "./abi.ts";
import type { ControlPage } from "./control_page.ts";
import { RingReader } from "./ring_reader.ts";

const PAGE = 4096;
const ENTRIES = 128;
/** The ring's pages are not adjacent, and not in order. */
const PAGES = [3 * PAGE, PAGE];

/** A ring, as the guest writes it. */
class Ring {
  readonly bytes = new Uint8Array(4 * PAGE);
  head = 0;
  /** Called before the host reads entries. */
  before = () => {};
  readonly page = {
    kernel: {
      pageSize: PAGE,
      memory: {
        read: (gpa: number, into: Uint8Array) => {
          this.before();
          into.set(this.bytes.subarray(gpa, gpa + into.length));
        },
      },
    },
    cpuNumber: () => this.head,
  } as unknown as ControlPage;

  /** The words of an entry. */
  at(sequence: number): Int32Array {
    const index = (sequence - 1) % ENTRIES;
    const perPage = PAGE / ENTRY.bytes;
    return new Int32Array(
      this.bytes.buffer,
      PAGES[Math.floor(index / perPage)] + index % perPage * ENTRY.bytes,
      ENTRY_WORDS,
    );
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) {
      const words = this.at(++this.head).fill(this.head);
      words[ENTRY.sequence / 4 + 1] = 0;
    }
  }
}

/** Gives the guest time for as many entries as these tests write. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 2));

/** A reader, and what it has reported: `5..9`, `lost 1..4`. */
function reading(ring = new Ring()) {
  const got: string[] = [];
  const reader = new RingReader(ring.page, {
    cpu: 2,
    gpa: 0,
    ring: 0n,
    entries: ENTRIES,
    pages: Float64Array.from(PAGES),
  });
  const range = (from: number, count: number) => `${from}..${from + count - 1}`;
  const read = () =>
    reader.read(reader.head(), {
      entries(cpu, sequence, bytes) {
        assert.equal(cpu, 2);
        const words = new Int32Array(bytes.slice().buffer);
        const count = words.length / ENTRY_WORDS;
        for (let i = 0; i < count; i++) {
          assert.equal(words[i * ENTRY_WORDS], sequence + i);
        }
        got.push(range(sequence, count));
      },
      lost: (_cpu, sequence, count) =>
        got.push(`lost ${range(sequence, count)}`),
      movedBack: (_cpu, from, to) => got.push(`back ${from}->${to}`),
      movedAhead: (_cpu, from, to) => got.push(`ahead ${from}->${to}`),
    });
  /** Reads, and returns what is new. */
  const next = () => {
    while (read());
    return got.splice(0);
  };
  return { ring, reader, next };
}

Deno.test("every entry is read once, in order, across pages and around the end", () => {
  const { ring, reader, next } = reading();
  assert.deepEqual(next(), []);
  ring.write(1);
  assert.deepEqual(next(), ["1..1"]);
  assert.deepEqual(next(), []);
  ring.write(99);
  assert.deepEqual(next(), ["2..100"]);
  ring.write(100);
  assert.deepEqual(next(), ["101..200"]);
  assert.deepEqual([reader.next, reader.lost, reader.end], [201, 0, 200]);
});

Deno.test("entries that were overwritten are counted, and so is the one that may be half overwritten", async () => {
  const { ring, reader, next } = reading();
  ring.write(ENTRIES - 1);
  assert.deepEqual(next(), ["1..127"]);
  ring.write(ENTRIES + 20);
  await pause();
  // The guest may be writing entry 276, over entry 148.
  assert.deepEqual(next(), ["lost 128..148", "149..275"]);
  assert.equal(reader.lost, 21);
});

Deno.test("what the guest overwrites during the copy is not passed on", () => {
  const { ring, next } = reading();
  ring.write(100);
  ring.before = () => {
    ring.before = () => {};
    ring.write(60);
  };
  assert.deepEqual(next(), ["lost 1..33", "34..100"]);
  assert.deepEqual(next(), ["101..160"]);
});

Deno.test("a copy that is overwritten as a whole is all lost", async () => {
  const { ring, next } = reading();
  await pause();
  ring.write(10);
  ring.before = () => {
    ring.before = () => {};
    ring.write(3 * ENTRIES);
  };
  // 394 entries were written, of which 268 and later are still there.
  assert.deepEqual(next(), ["lost 1..267"]);
  assert.deepEqual(next(), ["268..394"]);
});

Deno.test("a head that moves back is reported once, and nothing more is believed", () => {
  const { ring, reader, next } = reading();
  ring.write(50);
  next();
  ring.head = 40;
  assert.deepEqual(next(), ["back 50->40"]);
  ring.head = 60;
  assert.deepEqual(next(), []);
  assert.deepEqual([reader.end, reader.next], [50, 51]);
});

Deno.test("a head that is further than any CPU can write is not believed", () => {
  for (const head of [1e12, 2 ** 64]) {
    const { ring, reader, next } = reading();
    ring.write(5);
    next();
    ring.head = head;
    assert.deepEqual(next(), [`ahead 5->${head}`]);
    assert.deepEqual([reader.end, reader.lost], [5, 0]);
  }
});

Deno.test("an entry that was rewritten under its old number is reported", () => {
  const { ring, next } = reading();
  ring.write(10);
  next();
  ring.at(10)[4] ^= 1;
  ring.write(1);
  assert.deepEqual(next(), ["back 10->9", "11..11"]);
  ring.write(1);
  assert.deepEqual(next(), ["12..12"]);
});

Deno.test("an entry whose place another entry has taken is not a rewritten one", async () => {
  const { ring, next } = reading();
  ring.write(10);
  next();
  ring.write(ENTRIES);
  await pause();
  assert.deepEqual(next(), ["lost 11..11", "12..138"]);
});

Deno.test("after the last read as well, an impossible head is not believed", () => {
  const { ring, reader, next } = reading();
  ring.write(5);
  next();
  ring.head = 2 ** 50;
  assert.equal(reader.end, 5);
  ring.head = 6;
  assert.equal(reader.end, 6);
});
