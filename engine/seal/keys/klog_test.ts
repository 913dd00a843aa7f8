import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { Klog } from "./klog.ts";
import { KLOG, KLOG_RECORD_BYTES, type KlogEntry } from "./klog_format.ts";
import { readKlog } from "./read_klog.ts";

/** Runs `body` with the path of a log that does not exist yet. */
function withLog(body: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    body(`${folder}/klog`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Writes entries in several batches. */
function write(path: string, ...parts: readonly KlogEntry[][]): void {
  using log = new Klog(path);
  for (const part of parts) log.append(part, false);
}

const KEYS: readonly KlogEntry[] = [1, 2, 3, 4].map((epoch) => ({
  type: KLOG.key,
  cpu: epoch % 2,
  a: epoch,
  key: Int32Array.of(epoch, -epoch, 7, 0x7fffffff),
}));

const entry: fc.Arbitrary<KlogEntry> = fc.record({
  type: fc.integer({ min: KLOG.start, max: KLOG.recorded }),
  cpu: fc.nat(0xffff),
  a: fc.maxSafeNat(),
  b: fc.maxSafeNat(),
  key: fc.array(fc.integer(), { minLength: 4, maxLength: 4 })
    .map((words) => Int32Array.from(words)),
}, { noNullPrototype: true });

Deno.test("what was appended is read back", () => {
  fc.assert(
    fc.property(fc.array(fc.array(entry, { maxLength: 4 })), (parts) => {
      withLog((path) => {
        write(path, ...parts);
        const { records, problems, torn } = readKlog(path);
        assert.deepEqual(problems, []);
        assert.equal(torn, 0);
        assert.deepEqual(
          records.map(({ time: _, ...said }) => said),
          parts.flat(),
        );
      });
    }),
    { numRuns: times(30) },
  );
});

Deno.test("only its owner may read it", () =>
  withLog((path) => {
    write(path, [...KEYS]);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    Deno.chmodSync(path, 0o644);
    assert.throws(() => new Klog(path), /others can read the key log .*chmod/);
  }));

Deno.test("any flipped bit is detected", () =>
  withLog((path) => {
    write(path, [...KEYS]);
    const good = Deno.readFileSync(path);
    fc.assert(
      fc.property(
        fc.nat(good.length * 8 - 1),
        (bit) => {
          const bad = good.slice();
          bad[bit >> 3] ^= 1 << (bit & 7);
          Deno.writeFileSync(path, bad);
          assert.notDeepEqual(readKlog(path).problems, []);
          assert.throws(() => new Klog(path), /cannot be continued/);
        },
      ),
      { numRuns: times(100) },
    );
  }));

Deno.test("a record that is removed, or cut off, is detected", () =>
  withLog((path) => {
    write(path, [...KEYS]);
    const good = Deno.readFileSync(path);
    const record = (i: number) =>
      good.subarray(i * KLOG_RECORD_BYTES, (i + 1) * KLOG_RECORD_BYTES);
    Deno.writeFileSync(
      path,
      new Uint8Array([...record(0), ...record(2), ...record(3)]),
    );
    assert.match(readKlog(path).problems.join("; "), /damaged/);
    Deno.writeFileSync(path, good.subarray(0, 3 * KLOG_RECORD_BYTES));
    assert.deepEqual(readKlog(path).problems, [
      "the log is cut short: it has 3 records of at least 4",
    ]);
    Deno.writeFileSync(path, good);
    Deno.removeSync(`${path}.head`);
    assert.match(readKlog(path).problems.join("; "), /\.head file is missing/);
  }));

Deno.test("a log that does not match its head file", () =>
  withLog((path) => {
    write(path, [...KEYS]);
    Deno.copyFileSync(`${path}.head`, `${path}.other`);
    Deno.removeSync(path);
    Deno.removeSync(`${path}.head`);
    write(path, [...KEYS].reverse());
    Deno.copyFileSync(`${path}.other`, `${path}.head`);
    assert.deepEqual(readKlog(path).problems, [
      "the log is not the one that its .head file belongs to",
    ]);
  }));

Deno.test("a crash in the middle of a record is not damage; the next writer notes it", () =>
  withLog((path) => {
    write(path, [...KEYS]);
    const good = Deno.readFileSync(path);
    for (const cut of [1, 40, KLOG_RECORD_BYTES - 1]) {
      // The head file is written after the record.
      Deno.removeSync(`${path}.head`);
      Deno.removeSync(path);
      write(path, KEYS.slice(0, 3));
      const torn = new Uint8Array(3 * KLOG_RECORD_BYTES + cut);
      torn.set(Deno.readFileSync(path));
      torn.set(
        good.subarray(3 * KLOG_RECORD_BYTES, 3 * KLOG_RECORD_BYTES + cut),
        3 * KLOG_RECORD_BYTES,
      );
      Deno.writeFileSync(path, torn);
      assert.equal(readKlog(path).torn, cut);
      {
        using log = new Klog(path);
        assert.equal(log.before.torn, cut);
        log.append([KEYS[3]]);
        assert.equal(log.count, 5);
      }
      const { records, problems, torn: left } = readKlog(path);
      assert.deepEqual([problems, left], [[], 0]);
      assert.deepEqual(
        records.map(({ type, a }) => [type, a]),
        [[2, 1], [2, 2], [2, 3], [KLOG.resume, cut], [2, 4]],
      );
    }
  }));

Deno.test("files that cannot be used are reported in one sentence", () => {
  assert.throws(
    () => readKlog("/nonesuch/klog"),
    /cannot be read \(there is no such file\); give/,
  );
  assert.throws(() => new Klog("/nonesuch/klog"), /cannot be written; name/);
});
