import assert from "node:assert/strict";
import { XftraceError } from "../engine/base/errors.ts";
import { libc } from "./libc.ts";
import { existingRanges } from "./pagemap.ts";

const PAGE = 4096;
const PAGES = 200;
const PROT_READ_WRITE = 3;
const MAP_SHARED_ANONYMOUS = 0x21;

Deno.test("finds the pages of a process that exist, and only those", () => {
  const pointer = libc().mmap(
    null,
    BigInt(PAGES * PAGE),
    PROT_READ_WRITE,
    MAP_SHARED_ANONYMOUS,
    -1,
    0n,
  );
  assert.ok(pointer);
  const start = Number(Deno.UnsafePointer.value(pointer));
  const end = start + PAGES * PAGE;
  try {
    assert.deepEqual(existingRanges(Deno.pid, start, end), []);
    const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, PAGES * PAGE);
    const bytes = new Uint8Array(buffer);
    for (const page of [0, 7, 8, 9, PAGES - 1]) bytes[page * PAGE + 100] = 1;
    const at = (page: number) => start + page * PAGE;
    assert.deepEqual(existingRanges(Deno.pid, start, end), [
      { start: at(0), end: at(1) },
      { start: at(7), end: at(10) },
      { start: at(PAGES - 1), end },
    ]);
    assert.deepEqual(existingRanges(Deno.pid, at(8), at(50)), [
      { start: at(8), end: at(10) },
    ]);
    // Looking has not allocated any page.
    assert.equal(existingRanges(Deno.pid, start, end).length, 3);
    buffer.transfer(0);
  } finally {
    libc().munmap(pointer, BigInt(PAGES * PAGE));
  }
});

Deno.test("an error names the page map of a process that does not exist", () => {
  assert.throws(() => existingRanges(2 ** 30, 0, PAGE), (error) => {
    assert.ok(error instanceof XftraceError);
    assert.match(error.message, /cannot open \/proc\/1073741824\/pagemap/);
    return true;
  });
});
