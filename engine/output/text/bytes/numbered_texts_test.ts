import assert from "node:assert/strict";
import fc from "fast-check";
import { textBytes } from "../byte_text.ts";
import { type NumberedTexts, TextRoom } from "./numbered_texts.ts";
import { TextBuffer } from "./text_buffer.ts";

function found(texts: NumberedTexts, lo: number, hi: number) {
  const place = texts.find(lo, hi);
  if (place < 0) return undefined;
  const out = new TextBuffer();
  out.kept(texts, place);
  return [...out.written];
}

Deno.test("what is found is what was kept with that number", () => {
  const number = fc.oneof(fc.nat(40), fc.integer(), fc.nat(0xffff_ffff));
  const event = fc.tuple(number, fc.constantFrom(0, -1, 0xffff_ffff, 5));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      const texts = new TextRoom(4096).table();
      const out = new TextBuffer();
      for (const [lo, hi] of events) {
        const text = `${lo | 0} of ${hi | 0}`;
        const bytes = [...textBytes(text)];
        const kept = found(texts, lo, hi);
        if (kept !== undefined) {
          assert.deepEqual(kept, bytes);
          continue;
        }
        out.clear();
        texts.write(out, lo, hi, text);
        assert.deepEqual([...out.written], bytes);
        assert.deepEqual(found(texts, lo, hi), bytes);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
});

Deno.test("all tables of a room take no more than there is", () => {
  const most = 1 << 16;
  const room = new TextRoom(most);
  const tables = Array.from({ length: 50 }, () => room.table());
  const out = new TextBuffer();
  let [greatest, kept] = [0, 0];
  for (let i = 0; i < 20_000; i++) {
    const table = tables[i * 7 % tables.length];
    out.clear();
    table.write(out, i, i >> 3, `text ${i}`);
    if (table.find(i, i >> 3) >= 0) kept++;
    greatest = Math.max(
      greatest,
      tables.reduce((sum, { words }) => sum + words.length, 0),
    );
  }
  assert.equal(kept, 20_000);
  // Tables grow by doubling, and have some room at first.
  assert.ok(greatest <= 2 * most + 64 * tables.length, String(greatest));
});

Deno.test("a text that is too long is written, and not kept", () => {
  const texts = new TextRoom().table();
  const out = new TextBuffer();
  texts.write(out, 1, 2, "x".repeat(1 << 20));
  assert.equal(out.length, 1 << 20);
  assert.equal(texts.find(1, 2), -1);
});

/** Numbers that would all be in the same slot of any table, as a guest may choose. */
function colliding(count: number): number[] {
  // The inverse of the factor by which numbers are spread.
  let inverse = 1;
  for (let i = 0; i < 5; i++) {
    inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse));
  }
  return Array.from({ length: count }, (_, i) => {
    // What is spread is folded: its upper bits cancel the lower ones.
    const upper = i << 18 >>> 0;
    let mixed = upper;
    for (let bit = 17; bit >= 0; bit--) {
      mixed |= (mixed >>> 15 & 1 << bit) >>> 0;
    }
    return Math.imul(mixed, inverse) >>> 0;
  });
}

Deno.test("numbers that are chosen to meet are not searched for without end", () => {
  const texts = new TextRoom().table();
  const out = new TextBuffer();
  const numbers = colliding(10_000);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const lo of numbers) texts.write(out, lo, 0, `${lo}`);
  const kept = numbers.filter((lo) => texts.find(lo, 0) >= 0);
  // As many as are looked at; the others are made anew each time.
  assert.equal(kept.length, 64);
  for (const lo of kept) {
    assert.deepEqual(found(texts, lo, 0), [...textBytes(`${lo}`)]);
  }
  // Others are kept none the less.
  texts.write(out, 12345, 6, "one");
  assert.deepEqual(found(texts, 12345, 6), [...textBytes("one")]);
});
