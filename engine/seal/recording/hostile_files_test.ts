/** Files that are not what they claim: each ends soon, in one sentence. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { XftraceError } from "../../base/errors.ts";
import { times } from "../../base/long_fixture.ts";
import { Klog } from "../keys/klog.ts";
import { KLOG } from "../keys/klog_format.ts";
import { readKlog } from "../keys/read_klog.ts";
import { SEAL } from "../page/abi.ts";
import { klogBeside } from "./open_with_keys.ts";
import {
  FakeCpu,
  joinRecording,
  NONCE,
  recordedHeader,
  recordTrace,
  splitRecording,
  withFolder,
} from "./recording_fixture.ts";
import { BLOCK, encodeHeader, HEAD_BYTES } from "./recording_format.ts";
import { verifyRecording } from "./verify_recording.ts";

/** A recording whose header names a key log. */
function naming(folder: string, klog: string): string {
  const path = `${folder}/named`;
  Deno.writeFileSync(path, encodeHeader({ ...recordedHeader(3, 1), klog }));
  return path;
}

Deno.test("only a file beside the recording is opened as its key log", () =>
  withFolder((folder) => {
    assert.equal(
      klogBeside("/a/b.xfs", { ...recordedHeader(3, 1), klog: "/dev/zero" }),
      "/a/zero",
    );
    for (const klog of ["/dev/zero", "../../etc/passwd", "/dev/stdin", "no"]) {
      assert.throws(
        () => verifyRecording(naming(folder, klog)),
        /the key log of .*named is not beside it .* give it with --klog FILE/,
      );
    }
    for (const klog of ["", "/", "..", "a/.", "a\0b"]) {
      assert.throws(
        () => verifyRecording(naming(folder, klog)),
        /(names no key log|is a folder|is not beside it).* (give|--klog)/,
      );
    }
  }));

Deno.test("a FIFO, a device, a link or a folder is no key log", () =>
  withFolder((folder) => {
    spawnSync("mkfifo", [`${folder}/fifo`]);
    Deno.symlinkSync("/dev/zero", `${folder}/zero`);
    Deno.mkdirSync(`${folder}/sub`);
    for (
      const [name, why] of [
        ["fifo", /fifo is a FIFO, not a regular file/],
        ["zero", /zero is a symbolic link/],
        ["sub", /sub is a folder/],
      ] as const
    ) {
      assert.throws(() => verifyRecording(naming(folder, name)), why);
    }
    // What the user names may be a link, but must be a file.
    const path = naming(folder, "k");
    assert.throws(
      () => verifyRecording(path, `${folder}/zero`),
      /zero is a device, not a regular file/,
    );
    assert.throws(() => verifyRecording(`${folder}/fifo`), /is a FIFO/);
  }));

Deno.test("a key log that others can read, or that is no log", () =>
  withFolder((folder) => {
    const { path, klog } = recordTrace(folder, {
      cpu: new FakeCpu(SEAL.siphash),
    });
    Deno.chmodSync(klog, 0o644);
    assert.throws(() => verifyRecording(path), /others can read the key log/);
    Deno.chmodSync(klog, 0o600);
    Deno.removeSync(`${klog}.head`);
    spawnSync("mkfifo", [`${klog}.head`]);
    assert.throws(() => verifyRecording(path), /k\.head is a FIFO/);
    Deno.removeSync(`${klog}.head`);
    Deno.writeFileSync(`${klog}.head`, new Uint8Array(1 << 16));
    assert.throws(() => verifyRecording(path), /larger than the 128 bytes/);
    Deno.removeSync(`${klog}.head`);
    // A hole of 4 GiB and of 3 GiB: neither is kept in memory.
    Deno.truncateSync(klog, 2 ** 32 + 1);
    assert.throws(
      () => verifyRecording(path),
      /4294967297 bytes, which are too/,
    );
    Deno.truncateSync(klog, 0);
    Deno.truncateSync(klog, 3 * 2 ** 30);
    assert.throws(() => verifyRecording(path), /has no keys for/);
    const { problems } = readKlog(klog);
    assert.equal(problems.length, 22);
    assert.ok(problems.includes("the rest of the log is not read"));
  }));

Deno.test("a log whose numbers are extreme does not make verification long", () =>
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu });
    const klog = `${folder}/other`;
    {
      using log = new Klog(klog);
      const huge = Number.MAX_SAFE_INTEGER;
      log.append([
        { type: KLOG.start, a: 1, b: SEAL.ratchet, key: NONCE },
        { type: KLOG.key, a: huge },
        { type: KLOG.ack, a: huge, b: huge },
        { type: KLOG.ack, a: 0, b: 0 },
        { type: KLOG.recorded, a: huge, b: huge },
        { type: KLOG.command, a: huge, b: huge },
        { type: KLOG.stop, a: huge },
        { type: KLOG.stop, cpu: 65535, a: huge },
        { type: KLOG.end },
      ]);
    }
    const { problems } = verifyRecording(path, klog);
    assert.match(problems.join("; "), /what is missing is too much/);
  }));

/** A block of a recording, with any numbers. */
function block(
  type: number,
  sequence: bigint,
  count: number,
  size: number,
  body = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + 16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, sequence, true);
  view.setUint32(16, count, true);
  view.setUint32(20, size, true);
  bytes.set(body, HEAD_BYTES + 16);
  return bytes;
}

Deno.test("blocks that claim huge sizes, counts and gaps", () =>
  withFolder((folder) => {
    const { path } = recordTrace(folder, { cpu: new FakeCpu(SEAL.ratchet) });
    const { start, blocks } = splitRecording(Deno.readFileSync(path));
    const entry = new Uint8Array(64).fill(1);
    const json = (value: unknown) =>
      new TextEncoder().encode(JSON.stringify(value));
    const nested = new TextEncoder().encode("[".repeat(1 << 20));
    for (
      const [what, extra] of [
        ["size", block(BLOCK.entries, 201n, 0x3ffffff, 0xffffffc0)],
        ["lost", block(BLOCK.lost, 201n, 0xffffffff, 0)],
        ["gap", block(BLOCK.lost, 2n ** 63n, 1, 0)],
        ["gap of entries", block(BLOCK.entries, 2n ** 60n, 1, 64, entry)],
        ["names", block(BLOCK.names, 0n, 0, nested.length, nested)],
        [
          "prototype",
          ((body) => block(BLOCK.names, 0n, 0, body.length, body))(
            json({ __proto__: "x", constructor: "y", "0x1": 5 }),
          ),
        ],
        [
          "finding",
          ((body) => block(BLOCK.finding, 0n, 0, body.length, body))(json([1])),
        ],
      ] as const
    ) {
      Deno.writeFileSync(path, joinRecording(start, [...blocks, extra]));
      const { problems, total } = verifyRecording(path);
      assert.equal(total.verified, FakeCpu.COUNT, what);
      assert.ok(problems.length > 0, what);
    }
    // Millions of blocks with nothing in them.
    const empty = block(BLOCK.lost, 201n, 0, 0);
    const many = new Uint8Array(1 << 25);
    for (let at = 0; at + empty.length <= many.length; at += empty.length) {
      many.set(empty, at);
    }
    Deno.writeFileSync(path, joinRecording(start, [...blocks, many]));
    const { problems } = verifyRecording(path);
    assert.match(problems.join("; "), /1000 blocks .* are not authentic/);
  }));

Deno.test("a header that is huge or deep, or has strange numbers", () =>
  withFolder((folder) => {
    const path = `${folder}/r`;
    const header = recordedHeader(3, 1);
    for (
      const change of [
        { kernelText: ["0x1", "x"] },
        { dispatcher: Array.from({ length: 100 }, () => ["0x1", "0x2"]) },
        { target: "x".repeat(5000) },
        { generation: 1e300 },
        { seal: 9 },
      ]
    ) {
      Deno.writeFileSync(
        path,
        encodeHeader({ ...header, ...change } as typeof header),
      );
      assert.throws(() => verifyRecording(path), (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(error.message, /its head is damaged; give a file/);
        return true;
      });
    }
    const bytes = encodeHeader(header);
    new DataView(bytes.buffer).setUint32(8, 0xffffffff, true);
    Deno.writeFileSync(path, bytes);
    assert.throws(() => verifyRecording(path), /its head is cut/);
  }));

/** Numbers that count something, small, at their limits, and in between. */
const count = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);

Deno.test("whatever a key log says, verification ends with a verdict or a sentence", () =>
  withFolder((folder) => {
    const record = fc.record({
      type: fc.integer({ min: 1, max: 10 }),
      cpu: fc.constantFrom(0, 0, 1, 65535),
      a: count,
      b: count,
      key: fc.array(fc.integer(), { minLength: 4, maxLength: 4 })
        .map((words) => Int32Array.from(words)),
    });
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu });
    const klog = `${folder}/any`;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5 }),
        fc.array(record, { maxLength: 30 }),
        (seal, records) => {
          Deno.writeFileSync(klog, new Uint8Array(0));
          Deno.chmodSync(klog, 0o600);
          {
            using log = new Klog(klog);
            log.append([
              { type: KLOG.start, a: 1, b: seal, key: NONCE },
              ...records,
            ], false);
          }
          const start = performance.now();
          try {
            assert.ok(verifyRecording(path, klog).problems.length > 0);
          } catch (error) {
            assert.ok(error instanceof XftraceError, `${error}`);
          }
          assert.ok(performance.now() - start < 10_000);
        },
      ),
      { numRuns: times(60) },
    );
  }));

Deno.test("whatever is done to a recording's bytes, it ends with a verdict or a sentence", () =>
  withFolder((folder) => {
    const { path } = recordTrace(folder, {
      cpu: new FakeCpu(SEAL.ratchet),
      rich: true,
    });
    const whole = Deno.readFileSync(path);
    const edit = fc.record({
      at: fc.nat(whole.length - 1),
      bytes: fc.uint8Array({ maxLength: 12 }),
      removed: fc.constantFrom(0, 0, 1, 8, 64, 4000),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let bytes = [...whole];
        for (const { at, bytes: put, removed } of edits) {
          bytes = [
            ...bytes.slice(0, at),
            ...put,
            ...bytes.slice(at + Math.max(removed, put.length)),
          ];
        }
        const changed = Uint8Array.from(bytes);
        Deno.writeFileSync(path, changed);
        const same = changed.length === whole.length &&
          changed.every((byte, i) => byte === whole[i]);
        try {
          const { problems } = verifyRecording(path);
          assert.equal(problems.length === 1, same, problems.join("; "));
        } catch (error) {
          assert.ok(error instanceof XftraceError, `${error}`);
        }
      }),
      { numRuns: times(60) },
    );
  }));
