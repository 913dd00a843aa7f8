import assert from "node:assert/strict";
import { EventColumns, KIND, PageArena } from "./columns.ts";

Deno.test("an arena grows, keeps its bytes, and reuses slots", () => {
  const arena = new PageArena(64, 2);
  const offsets = Array.from({ length: 5 }, (_, i) => {
    const slot = arena.acquire();
    arena.bytes[slot] = i + 1;
    return slot;
  });
  assert.deepEqual(offsets, [0, 64, 128, 192, 256]);
  assert.deepEqual(offsets.map((slot) => arena.bytes[slot]), [1, 2, 3, 4, 5]);
  assert.equal(arena.words[64 / 4], 2);
  assert.equal(arena.view.getUint8(128), 3);
  arena.release(128);
  assert.equal(arena.slotsInUse, 4);
  assert.equal(arena.acquire(), 128);
  arena.clear();
  assert.equal(arena.slotsInUse, 0);
  assert.equal(arena.acquire(), 0);
});

Deno.test("an arena refuses slots that are not multiples of a word", () => {
  assert.throws(() => new PageArena(100), /100 bytes/);
});

Deno.test("columns grow without losing rows", () => {
  const columns = new EventColumns(0x123456789abcdef0n, 16);
  for (let i = 0; i < 100; i++) {
    columns.reserve(1);
    const row = columns.length++;
    columns.ts[row] = i * 10;
    columns.kind[row] = KIND.entry;
    columns.func[2 * row] = i;
    columns.func[2 * row + 1] = 0xffffffff;
  }
  assert.ok(columns.capacity >= 100);
  for (let i = 0; i < 100; i++) {
    assert.equal(columns.ts[i], i * 10);
    assert.equal(columns.functionAt(i), 0xffffffff00000000n | BigInt(i));
  }
  assert.equal(columns.timeAt(7), 0x123456789abcdef0n + 70n);
  columns.clear();
  assert.equal(columns.length, 0);
  assert.ok(columns.capacity >= 100);
});

Deno.test("time stamps far beyond 2^53 stay exact relative to the epoch", () => {
  const epoch = 0xfffffff012345678n;
  const columns = new EventColumns(epoch);
  for (const delta of [0n, 1n, -1n, 0x87654321n, 0xfffffffffn]) {
    const stamp = epoch + delta;
    assert.equal(
      columns.sinceEpoch(
        Number(stamp & 0xffffffffn),
        Number(stamp >> 32n),
      ),
      Number(delta),
    );
  }
});
