import assert from "node:assert/strict";
import { XftraceError } from "../engine/base/errors.ts";
import { fileFacts } from "../engine/targets/proc.ts";
import { Mapping } from "./mapping.ts";
import { HOLE, MemoryFile, pattern } from "./memory_file_fixture.ts";

Deno.test("shows a file's bytes while others change them", () => {
  using file = new MemoryFile(HOLE);
  file.put(pattern(100), 4096);
  using mapping = Mapping.open(file.path, { writable: false });
  assert.equal(mapping.bytes.length, HOLE);
  assert.deepEqual(mapping.bytes.slice(4096, 4196), pattern(100));
  file.put(pattern(100, 2), 4096);
  assert.deepEqual(mapping.bytes.slice(4096, 4196), pattern(100, 2));
});

Deno.test("writes go to the file", () => {
  using file = new MemoryFile(8192);
  using mapping = Mapping.open(file.path, { writable: true });
  mapping.bytes.set(pattern(10), 100);
  assert.deepEqual(file.read().slice(100, 110), pattern(10));
});

Deno.test("finding data and searching it allocates no holes", () => {
  using file = new MemoryFile(16 * HOLE);
  file.put(pattern(4096), 3 * HOLE);
  file.put(new TextEncoder().encode("needle"), 3 * HOLE + 4000);
  const before = file.allocated;
  using mapping = Mapping.open(file.path, { writable: false });
  const ranges = mapping.dataRanges(0, 16 * HOLE);
  assert.deepEqual(ranges, [{ start: 3 * HOLE, end: 3 * HOLE + 4096 }]);
  const needle = new TextEncoder().encode("needle");
  assert.equal(
    mapping.find(needle, ranges[0].start, ranges[0].end),
    3 * HOLE + 4000,
  );
  assert.equal(mapping.find(needle, ranges[0].start, 3 * HOLE + 4005), -1);
  assert.equal(mapping.find(needle, 3 * HOLE + 4001, ranges[0].end), -1);
  assert.equal(file.allocated, before);
});

Deno.test("maps a part of a file", () => {
  using file = new MemoryFile(4 * HOLE);
  file.put(pattern(4096), HOLE);
  file.put(pattern(4096), 3 * HOLE);
  using mapping = Mapping.open(file.path, {
    writable: false,
    length: 2 * HOLE,
  });
  assert.equal(mapping.bytes.length, 2 * HOLE);
  assert.deepEqual(mapping.dataRanges(0, 4 * HOLE), [
    { start: HOLE, end: HOLE + 4096 },
  ]);
});

Deno.test("an error names the file that cannot be mapped", () => {
  using empty = new MemoryFile(0);
  using short = new MemoryFile(100);
  const refused = (path: string, pattern: RegExp, length?: number) =>
    assert.throws(
      () => Mapping.open(path, { writable: false, length }),
      (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(error.message, pattern);
        return true;
      },
    );
  refused(empty.path, /is empty: it is not the memory of a guest/);
  refused(short.path, /is shorter \(100 bytes\) .* \(200 bytes\)/, 200);
  refused("/no/such/file", /cannot open \/no\/such\/file/);
  refused("/dev/shm", /cannot (map|open)|is empty/);
});

Deno.test("notices that the file was truncated", () => {
  using file = new MemoryFile(8192);
  using mapping = Mapping.open(file.path, { writable: false });
  assert.equal(mapping.intact, true);
  file.resize(4096);
  assert.equal(mapping.intact, false);
  file.resize(16384);
  assert.equal(mapping.intact, true);
});

Deno.test("reading its bytes after disposing is harmless", () => {
  using file = new MemoryFile(8192);
  const mapping = Mapping.open(file.path, { writable: false });
  const { bytes } = mapping;
  mapping[Symbol.dispose]();
  assert.equal(bytes.length, 0);
  assert.equal(bytes[0], undefined);
  assert.equal(mapping.intact, false);
  // Disposing twice is harmless.
  mapping[Symbol.dispose]();
});

Deno.test("a file that is not the expected one is refused, whatever its name", () => {
  using file = new MemoryFile(8192);
  using other = new MemoryFile(8192);
  const identity = fileFacts(file.path)?.identity ?? "";
  {
    using mapping = Mapping.open(file.path, { writable: true, identity });
    assert.equal(mapping.bytes.length, 8192);
  }
  const open = (path: string) =>
    Mapping.open(path, { writable: true, identity });
  const refusal = /is not the file that the VM's process has mapped any more/;
  assert.throws(() => open(other.path), refusal);
  // As an intruder would exchange it.
  Deno.removeSync(file.path);
  Deno.symlinkSync(other.path, file.path);
  assert.throws(() => open(file.path), refusal);
});
