import assert from "node:assert/strict";
import { ENTRY, ENTRY_WORDS } from "../page/abi.ts";
import { Backlog } from "./backlog.ts";
import type { SealVerifier } from "./verifier.ts";

/** A backlog, and what its verifier has received: `cpu:first+count`. */
function setting() {
  const got: string[] = [];
  const verifier = {
    feed(cpu: number, words: Int32Array, count: number) {
      assert.equal(words.length, count * ENTRY_WORDS);
      got.push(`${cpu}:${words[0]}+${count}`);
    },
    lost: (cpu: number, count: number) => got.push(`${cpu}:lost ${count}`),
  } as unknown as SealVerifier;
  return { got, backlog: new Backlog(verifier) };
}

/** Entries whose first words are numbered. */
function entriesFrom(first: number, count: number): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(count * ENTRY_WORDS);
  for (let i = 0; i < count; i++) words[i * ENTRY_WORDS] = first + i;
  return new Uint8Array(words.buffer);
}

Deno.test("entries and losses are verified in the order in which they came", () => {
  const { got, backlog } = setting();
  backlog.entries(0, entriesFrom(1, 3));
  backlog.lost(0, 5);
  backlog.entries(1, entriesFrom(1, 1));
  backlog.entries(0, entriesFrom(9, 2));
  assert.deepEqual([got, backlog.waiting], [[], 6]);
  backlog.digest();
  assert.deepEqual(got, ["0:1+3", "0:lost 5", "1:1+1", "0:9+2"]);
  assert.equal(backlog.waiting, 0);
  backlog.digest();
  assert.equal(got.length, 4);
});

Deno.test("a copy is kept, since the reader's buffer is used again", () => {
  const { got, backlog } = setting();
  const bytes = entriesFrom(7, 2);
  backlog.entries(0, bytes.subarray(ENTRY.bytes));
  bytes.fill(0xff);
  backlog.digest();
  assert.deepEqual(got, ["0:8+1"]);
});

Deno.test("many entries are verified in parts, and none twice", () => {
  const { got, backlog } = setting();
  backlog.entries(0, entriesFrom(1, 5000));
  backlog.digest(0);
  assert.deepEqual([got, backlog.waiting], [[], 5000]);
  backlog.digest();
  assert.deepEqual(got, ["0:1+2048", "0:2049+2048", "0:4097+904"]);
  assert.equal(backlog.waiting, 0);
});

Deno.test("what is added while others wait comes after them", () => {
  const { got, backlog } = setting();
  for (let i = 0; i < 3000; i++) backlog.entries(i % 2, entriesFrom(i, 1));
  backlog.digest();
  backlog.entries(0, entriesFrom(3000, 1));
  backlog.digest();
  assert.deepEqual(
    got,
    Array.from({ length: 3001 }, (_, i) => `${i % 2}:${i}+1`),
  );
});

Deno.test("lost entries are stepped over in parts, so that reading need not wait", () => {
  const { got, backlog } = setting();
  backlog.lost(0, 100_000);
  backlog.entries(0, entriesFrom(1, 1));
  backlog.digest(0);
  assert.deepEqual([got, backlog.empty], [[], false]);
  backlog.digest();
  assert.deepEqual(got, [
    ...Array(3).fill("0:lost 32768"),
    `0:lost ${100_000 - 3 * 32768}`,
    "0:1+1",
  ]);
  assert.equal(backlog.empty, true);
});
