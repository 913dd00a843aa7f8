/** Memory that knows which words were read. */
import assert from "node:assert/strict";
import { BufferMemory } from "../../engine/memory/buffer_memory_fixture.ts";
import {
  EndlessReading,
  SearchedMemory,
  WordsRead,
} from "./searched_memory.ts";

const made = () => new SearchedMemory(new BufferMemory(new Uint8Array(8192)));

Deno.test("words are told apart by how they were read", () => {
  const memory = made();
  const seen = new WordsRead();
  memory.watch(seen);
  memory.read(20, new Uint8Array(8));
  memory.read(64, new Uint8Array(64));
  memory.read(72, new Uint8Array(1));
  memory.read(4096, new Uint8Array(1024));
  memory.watch(undefined);
  memory.read(2048, new Uint8Array(8));
  assert.deepEqual([...seen.alone], [16, 24, 72]);
  assert.deepEqual([...seen.bulk(0, 512)], [64, 80, 88, 96, 104, 112, 120]);
  assert.equal(seen.bulk(512, Infinity).size, 128);
});

Deno.test("what another reader has read is left out, and nothing beside it", () => {
  const memory = made();
  const [seen, sweep] = [new WordsRead(), new WordsRead()];
  memory.watch(seen);
  memory.read(0, new Uint8Array(8192));
  memory.read(0, new Uint8Array(24));
  memory.read(4096, new Uint8Array(32));
  memory.watch(sweep);
  memory.read(0, new Uint8Array(8192));
  memory.watch(undefined);
  seen.leaveOut(sweep);
  assert.deepEqual(
    [...seen.bulk(0, Infinity)],
    [0, 8, 16, 4096, 4104, 4112, 4120],
  );
});

Deno.test("readers of all memory are shown the pages of some words", () => {
  const memory = made();
  const all = memory.dataRanges();
  memory.only([4100, 4104]);
  assert.deepEqual(memory.dataRanges(), [{ start: 4096, end: 8192 }]);
  memory.only(undefined);
  assert.deepEqual(memory.dataRanges(), all);
});

Deno.test("a word is replaced, and what was read before is kept elsewhere", () => {
  const from = new BufferMemory(new Uint8Array(8192));
  const memory = new SearchedMemory(from);
  memory.poke(8, 0x1122n);
  const bytes = new Uint8Array(2);
  memory.read(8, bytes);
  assert.deepEqual([...bytes], [0x22, 0x11]);
  assert.equal(memory.peek(8), 0x1122n);
  from.read(8, bytes);
  assert.deepEqual([...bytes], [0, 0]);
});

Deno.test("a reader that does not end is stopped", async () => {
  const memory = made();
  await assert.rejects(
    memory.counted(4096, () => {
      for (;;) memory.read(0, new Uint8Array(8));
    }),
    EndlessReading,
  );
  assert.ok(memory.bytesRead >= 4096);
  memory.read(0, new Uint8Array(8));
});

Deno.test("a trap is told of each read of its words", () => {
  const memory = made();
  const hits: number[] = [];
  memory.trap([16, 4096], (gpa) => hits.push(gpa));
  memory.read(0, new Uint8Array(16));
  memory.read(0, new Uint8Array(17));
  memory.read(23, new Uint8Array(1));
  memory.read(24, new Uint8Array(8));
  memory.read(8, new Uint8Array(4100));
  memory.trap();
  memory.read(16, new Uint8Array(8));
  assert.deepEqual(hits, [16, 16, 16, 4096]);
});
