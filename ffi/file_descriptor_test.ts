import assert from "node:assert/strict";
import { XftraceError } from "../engine/base/errors.ts";
import { FileDescriptor } from "./file_descriptor.ts";
import { HOLE, MemoryFile, pattern } from "./memory_file_fixture.ts";

Deno.test("reads and writes at an offset, and gives the size", () => {
  using file = new MemoryFile(10_000);
  file.put(pattern(100), 5000);
  using fd = FileDescriptor.open(file.path, { writable: true });
  assert.equal(fd.size(), 10_000);
  const into = new Uint8Array(100);
  assert.equal(fd.pread(into, 5000), 100);
  assert.deepEqual(into, pattern(100));
  assert.equal(fd.pread(into, 9950), 50);
  assert.equal(fd.pread(into, 10_000), 0);
  assert.equal(fd.pwrite(pattern(4, 9), 100), 4);
  assert.deepEqual(file.read().slice(100, 104), pattern(4, 9));
});

Deno.test("a file that is open read-only refuses writes", () => {
  using file = new MemoryFile(100);
  using fd = FileDescriptor.open(file.path, { writable: false });
  const EBADF = 9;
  assert.equal(fd.pwrite(pattern(4), 0), -EBADF);
});

Deno.test("an error names the file that cannot be opened", () => {
  assert.throws(
    () => FileDescriptor.open("/no/such/file", { writable: false }),
    (error) => {
      assert.ok(error instanceof XftraceError);
      assert.equal(
        error.message,
        "cannot open /no/such/file: no such file",
      );
      return true;
    },
  );
});

Deno.test("finds the parts that are not holes", () => {
  using file = new MemoryFile(8 * HOLE);
  using fd = FileDescriptor.open(file.path, { writable: false });
  assert.deepEqual(fd.dataRanges(0, 8 * HOLE), []);
  file.put(pattern(4096), 2 * HOLE);
  file.put(pattern(4096), 5 * HOLE);
  file.put(pattern(4096), 8 * HOLE - 4096);
  assert.deepEqual(fd.dataRanges(0, 8 * HOLE), [
    { start: 2 * HOLE, end: 2 * HOLE + 4096 },
    { start: 5 * HOLE, end: 5 * HOLE + 4096 },
    { start: 8 * HOLE - 4096, end: 8 * HOLE },
  ]);
  // Ranges are cut to what was asked for.
  assert.deepEqual(fd.dataRanges(2 * HOLE + 100, 2 * HOLE + 200), [
    { start: 2 * HOLE + 100, end: 2 * HOLE + 200 },
  ]);
  assert.deepEqual(fd.dataRanges(3 * HOLE, 5 * HOLE), []);
  assert.deepEqual(fd.dataRanges(9 * HOLE, 10 * HOLE), []);
  assert.deepEqual(fd.dataRanges(5, 5), []);
});

Deno.test("disposing twice closes it once", () => {
  using file = new MemoryFile(100);
  const fd = FileDescriptor.open(file.path, { writable: false });
  fd[Symbol.dispose]();
  assert.equal(fd.size(), 0);
  // Another file may have got the number by now: it must not be closed.
  using other = FileDescriptor.open(file.path, { writable: false });
  fd[Symbol.dispose]();
  assert.equal(other.size(), 100);
});
