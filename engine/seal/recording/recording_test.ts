import assert from "node:assert/strict";
import { ENTRY } from "../page/abi.ts";
import {
  readRecording,
  recordedBlocks,
  type RecordingHeader,
  RecordingWriter,
} from "./recording.ts";

const HEADER: RecordingHeader = {
  seal: 3,
  nonce: "00112233445566778899aabbccddeeff",
  generation: 1,
  klog: "klog",
  target: "qemu:web1",
  kernel: "6.1.0",
  kernelText: ["0x1000", "0x2000"],
  dispatcher: [["0x1100", "0x1180"]],
};

/** Runs `body` with the path of a recording that has a few blocks. */
function withRecording(body: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/trace.xfts`;
  try {
    {
      using writer = RecordingWriter.create(path, HEADER);
      writer.entries(0, 1, new Uint8Array(2 * ENTRY.bytes).fill(7));
      writer.lost(1, 1, 30);
      writer.names({ "0x1000": "schedule" });
      writer.entries(1, 31, new Uint8Array(ENTRY.bytes).fill(9));
      writer.finding({ problem: "no heartbeat", detail: "silent" });
      writer.names({ "0x1000": "schedule", "0x1010": "schedule+0x10" });
      assert.equal(writer.size, Deno.statSync(path).size);
    }
    body(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a recording is read back as it was written", () =>
  withRecording((path) => {
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    const recording = readRecording(path);
    assert.deepEqual(recording.header, HEADER);
    assert.deepEqual(
      recording.blocks.map(({ cpu, sequence, count, offset }) => [
        cpu,
        sequence,
        count,
        offset !== undefined,
      ]),
      [[0, 1, 2, true], [1, 1, 30, false], [1, 31, 1, true]],
    );
    assert.deepEqual(recording.names, {
      "0x1000": "schedule",
      "0x1010": "schedule+0x10",
    });
    assert.deepEqual(recording.findings, [
      { problem: "no heartbeat", detail: "silent" },
    ]);
    assert.deepEqual([recording.torn, recording.damaged], [0, false]);
    assert.deepEqual(
      [...recordedBlocks(recording)].map(({ words }) => [
        words.length,
        words[0],
      ]),
      [[32, 0x07070707], [0, undefined], [16, 0x09090909]],
    );
  }));

Deno.test("wherever it is cut, the complete blocks are kept and writing can continue", () =>
  withRecording((path) => {
    const bytes = Deno.readFileSync(path);
    const { blocks, wholeBytes } = readRecording(path);
    assert.equal(wholeBytes, bytes.length);
    const start = (blocks[0].offset ?? 0) - 24;
    for (let cut = start; cut < bytes.length; cut += 5) {
      Deno.writeFileSync(path, bytes.subarray(0, cut));
      const before = readRecording(path);
      assert.equal(before.wholeBytes + before.torn, cut);
      assert.equal(before.damaged, false);
      {
        using writer = RecordingWriter.resume(path).writer;
        writer.lost(5, 900, 1);
      }
      const after = readRecording(path);
      assert.equal(after.torn, 0);
      assert.deepEqual(after.blocks.slice(0, -1), before.blocks);
      assert.equal(after.blocks.at(-1)?.cpu, 5);
    }
  }));

Deno.test("data that is not a block ends the list, and is reported", () =>
  withRecording((path) => {
    const bytes = Deno.readFileSync(path);
    const { blocks } = readRecording(path);
    const head = (blocks[2].offset ?? 0) - 24;
    const view = new DataView(bytes.buffer);
    for (
      const [at, value] of [[head, 9], [head, 0], [head + 16, 2]] as const
    ) {
      const before = view.getUint32(at, true);
      view.setUint32(at, value, true);
      Deno.writeFileSync(path, bytes);
      view.setUint32(at, before, true);
      const damaged = readRecording(path);
      assert.equal(damaged.damaged, true);
      assert.deepEqual(damaged.blocks, blocks.slice(0, 2));
      assert.equal(damaged.wholeBytes, head);
    }
  }));

Deno.test("a file that is not a recording is refused", () =>
  withRecording((path) => {
    const good = Deno.readFileSync(path);
    const refused = (bytes: Uint8Array, why: RegExp) => {
      Deno.writeFileSync(path, bytes);
      assert.throws(() => readRecording(path), why);
    };
    refused(good.subarray(0, 9), /it is too short/);
    refused(good.subarray(0, 60), /its head is cut/);
    refused(new TextEncoder().encode("x".repeat(99)), /does not begin as one/);
    const bad = good.slice();
    bad[20] = 0;
    refused(bad, /its head is damaged/);
    assert.throws(() => readRecording(`${path}.none`), /cannot be read/);
    assert.throws(
      () => RecordingWriter.create("/nonesuch/trace", HEADER),
      /cannot write .*: the folder .* does not exist; make it/,
    );
  }));
