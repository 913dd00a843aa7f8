import assert from "node:assert/strict";
import type { EventField } from "../events/formats.ts";
import { EventColumns, PageArena } from "./columns.ts";
import { arrayAt, exactAt, integerAt, textAt, wordAt } from "./field_values.ts";

/** An event with these bytes, at an odd word of its page. */
function rowOf(bytes: readonly number[]) {
  const arena = new PageArena(4096);
  arena.acquire();
  // The bytes after the event belong to another one.
  arena.bytes.fill(0xee);
  arena.bytes.set(bytes, 12);
  const columns = new EventColumns(0n);
  columns.length = 1;
  columns.offset[0] = 12;
  columns.size[0] = bytes.length;
  return { columns, arena };
}

const field = (more: Partial<EventField>): EventField => ({
  name: "f",
  type: "u32",
  offset: 0,
  size: 4,
  signed: false,
  ...more,
});

const BYTES = [
  0xfe,
  0xff,
  0xff,
  0xff,
  0xff,
  0xff,
  0xff,
  0xff,
  0x41,
  0x42,
  0,
  1,
];

Deno.test("integers of every width, signed and unsigned", () => {
  const row = rowOf(BYTES);
  const read = (size: number, signed: boolean) =>
    integerAt(row, 0, field({ size, signed }));
  assert.deepEqual([1, 2, 4, 8].map((size) => read(size, true)), [
    -2,
    -2,
    -2,
    -2,
  ]);
  assert.deepEqual([1, 2, 4].map((size) => read(size, false)), [
    0xfe,
    0xfffe,
    0xfffffffe,
  ]);
  assert.equal(exactAt(row, 0, field({ size: 8 })), 0xfffffffffffffffen);
  assert.equal(exactAt(row, 0, field({ size: 8, signed: true })), -2);
  assert.equal(exactAt(row, 0, field({ size: 4 })), 0xfffffffe);
  assert.ok(Number.isNaN(integerAt(row, 0, field({ size: 3 }))));
});

Deno.test("no read leaves its event", () => {
  const row = rowOf(BYTES);
  assert.equal(wordAt(row, 0, 8), 0x01004241);
  assert.equal(wordAt(row, 0, 9), 0);
  assert.ok(Number.isNaN(integerAt(row, 0, field({ offset: 9 }))));
  assert.ok(Number.isNaN(exactAt(row, 0, field({ offset: 5, size: 8 }))));
  assert.equal(textAt(row, 0, field({ offset: 8, size: 100 })), "AB");
  assert.equal(textAt(row, 0, field({ offset: 11, size: 100 })), "\u0001");
  assert.equal(textAt(row, 0, field({ offset: 400, size: 4 })), "");
  assert.deepEqual(arrayAt(row, 0, field({ offset: 8, size: 100 }), 2), [
    0x4241,
    0x0100,
  ]);
  assert.deepEqual(arrayAt(row, 0, field({ offset: 400, size: 100 }), 2), []);
});

Deno.test("dynamic fields: relative to the event's start, or to the field's end", () => {
  const place = (at: number, length: number) => [at, 0, length, 0];
  const row = rowOf([...place(8, 3), ...place(0, 200), 0x61, 0xc3, 0xa4, 0x62]);
  assert.equal(textAt(row, 0, field({ type: "__data_loc char[]" })), "aä");
  assert.equal(
    textAt(row, 0, field({ type: "__rel_loc char[]", offset: 4 })),
    "aäb",
  );
  assert.deepEqual(
    arrayAt(row, 0, field({ type: "__rel_loc u8[]", offset: 4 }), 1),
    [0x61, 0xc3, 0xa4, 0x62],
  );
  // A field that points out of its event is empty.
  const out = rowOf(place(200, 3));
  assert.equal(textAt(out, 0, field({ type: "__data_loc char[]" })), "");
});
