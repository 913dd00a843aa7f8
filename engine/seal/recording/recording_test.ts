import assert from "node:assert/strict";
import { ENTRY, SEAL } from "../page/abi.ts";
import { KLOG } from "../keys/klog_format.ts";
import { RecordingKey, recordingKeyEntry } from "./authentication.ts";
import { RecordingWriter } from "./recording.ts";
import { RecordingFile } from "./recording_file.ts";
import { recordedHeader } from "./recording_fixture.ts";
import { BLOCK, TagChain } from "./recording_format.ts";

const HEADER = recordedHeader(SEAL.ratchet, 1);
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

/** Runs `body` with the path of a recording that has a few blocks. */
function withRecording(body: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/trace.xfs`;
  try {
    {
      using writer = RecordingWriter.create(path, HEADER, KEY);
      writer.entries(0, 1, new Uint8Array(2 * ENTRY.bytes).fill(7));
      writer.lost(1, 1, 30);
      writer.names({ "0x1000": "schedule" });
      writer.entries(1, 31, new Uint8Array(ENTRY.bytes).fill(9));
      writer.finding({ problem: "no heartbeat", detail: "silent" });
      assert.equal(writer.size, Deno.statSync(path).size);
      assert.equal(writer.blocks, 5);
    }
    body(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What a key log says that has just been begun. */
function keyOf(): RecordingKey {
  const zeros = { cpu: 0, time: 0, a: 0, b: 0, key: new Int32Array(4) };
  const start = new TagChain(KEY, headerBytes());
  return new RecordingKey([
    { ...zeros, ...recordingKeyEntry(KEY) },
    {
      ...zeros,
      type: KLOG.recorded,
      key: new Int32Array(start.last.slice().buffer),
    },
  ]);
}

function headerBytes(): Uint8Array {
  const path = Deno.makeTempFileSync();
  try {
    RecordingWriter.create(path, HEADER, KEY)[Symbol.dispose]();
    using file = new RecordingFile(path);
    return file.start.bytes;
  } finally {
    Deno.removeSync(path);
  }
}

/** Reads all blocks of a recording. */
function read(path: string) {
  using file = new RecordingFile(path);
  const blocks = [...file.blocks()];
  const { wholeBytes, torn, damaged, start } = file;
  return { blocks, wholeBytes, torn, damaged, header: start.header };
}

Deno.test("a recording is read back as it was written", () =>
  withRecording((path) => {
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    const { blocks, header, torn, damaged } = read(path);
    assert.deepEqual(header, HEADER);
    assert.deepEqual([torn, damaged], [0, false]);
    assert.deepEqual(
      blocks.map(({ number, type, cpu, sequence, count, body }) => [
        number,
        type,
        cpu,
        sequence,
        count,
        body.length,
      ]),
      [
        [1, BLOCK.entries, 0, 1, 2, 128],
        [2, BLOCK.lost, 1, 1, 30, 0],
        [3, BLOCK.names, 0, 0, 0, 21],
        [4, BLOCK.entries, 1, 31, 1, 64],
        [5, BLOCK.finding, 0, 0, 0, 44],
      ],
    );
    assert.ok(blocks[0].body.every((byte) => byte === 7));
    assert.ok(blocks[3].body.every((byte) => byte === 9));
  }));

Deno.test("wherever it is cut, the complete blocks are kept and writing can continue", () =>
  withRecording((path) => {
    const bytes = Deno.readFileSync(path);
    const { blocks, wholeBytes } = read(path);
    assert.equal(wholeBytes, bytes.length);
    for (let cut = blocks[0].at; cut < bytes.length; cut += 5) {
      Deno.writeFileSync(path, bytes.subarray(0, cut));
      const before = read(path);
      assert.equal(before.wholeBytes + before.torn, cut);
      assert.equal(before.damaged, false);
      {
        using writer = RecordingWriter.resume(path, keyOf()).writer;
        writer.lost(5, 900, 1);
      }
      const after = read(path);
      assert.equal(after.torn, 0);
      assert.deepEqual(after.blocks.slice(0, -1), before.blocks);
      assert.equal(after.blocks.at(-1)?.cpu, 5);
      // What was appended belongs to the same chain.
      RecordingWriter.resume(path, keyOf()).writer[Symbol.dispose]();
    }
  }));

Deno.test("a recording that was changed is not continued", () =>
  withRecording((path) => {
    const bytes = Deno.readFileSync(path);
    bytes[bytes.length - 3] ^= 1;
    Deno.writeFileSync(path, bytes);
    assert.throws(
      () => RecordingWriter.resume(path, keyOf()),
      /cannot be continued: block 5 .* is not what was written there.*verify/,
    );
    assert.deepEqual(Deno.readFileSync(path), bytes);
  }));

Deno.test("data that is not a block ends the list, and is reported", () =>
  withRecording((path) => {
    const bytes = Deno.readFileSync(path);
    const { blocks } = read(path);
    const head = blocks[3].at;
    const view = new DataView(bytes.buffer);
    for (
      const [at, value] of [
        [head, 9],
        [head, 0],
        [head, BLOCK.lost],
        [head + 16, 2],
        [head + 16, 0xffffffff],
        [head + 20, 0xffffffff],
        [blocks[2].at + 20, 0x7fffffff],
      ] as const
    ) {
      const before = view.getUint32(at, true);
      view.setUint32(at, value, true);
      Deno.writeFileSync(path, bytes);
      view.setUint32(at, before, true);
      const damaged = read(path);
      assert.equal(damaged.damaged, true);
      assert.equal(damaged.wholeBytes, at >= head ? head : blocks[2].at);
    }
  }));

Deno.test("a file that is not a recording is refused", () =>
  withRecording((path) => {
    const good = Deno.readFileSync(path);
    const refused = (bytes: Uint8Array, why: RegExp) => {
      Deno.writeFileSync(path, bytes);
      assert.throws(() => read(path), why);
    };
    refused(good.subarray(0, 9), /it is too short/);
    refused(good.subarray(0, 60), /its head is cut/);
    refused(new TextEncoder().encode("x".repeat(99)), /does not begin as one/);
    const bad = good.slice();
    bad[20] = 0;
    refused(bad, /its head is damaged/);
    const newer = good.slice();
    newer[7] = 0x39;
    refused(newer, /does not begin as one/);
    assert.throws(() => read(`${path}.none`), /cannot be read/);
    assert.throws(() => read("/dev/zero"), /is a device, not a regular file/);
    assert.throws(
      () => RecordingWriter.create("/nonesuch/trace", HEADER, KEY),
      /cannot write .*name a file in a folder of your own/,
    );
  }));

Deno.test("a file of our own is replaced, also through a link of our own", () =>
  withRecording((path) => {
    const old = Deno.openSync(path);
    RecordingWriter.create(path, HEADER, KEY)[Symbol.dispose]();
    assert.equal(read(path).blocks.length, 0);
    // Whoever has the old file open still has the old content.
    assert.ok(old.statSync().size > Deno.statSync(path).size);
    old.close();
    Deno.writeTextFileSync(`${path}.other`, "mine");
    Deno.symlinkSync(`${path}.other`, `${path}.link`);
    RecordingWriter.create(`${path}.link`, HEADER, KEY)[Symbol.dispose]();
    assert.equal(Deno.readLinkSync(`${path}.link`), `${path}.other`);
    assert.equal(read(`${path}.other`).blocks.length, 0);
  }));
