/** What somebody can do who holds a recording, but not its key log. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { times } from "../../base/long_fixture.ts";
import { XftraceError } from "../../base/errors.ts";
import { SEAL, SEAL_NUMBER } from "../page/abi.ts";
import {
  FakeCpu,
  joinRecording,
  klogToVersion1,
  recordTrace,
  splitRecording,
  toVersion1,
  withFolder,
} from "./recording_fixture.ts";
import { BLOCK, HEAD_BYTES, TAG_BYTES } from "./recording_format.ts";
import { isClean, isUnharmed, verifyRecording } from "./verify_recording.ts";

/** Two traces of the same module in the same log, with all kinds of blocks. */
function withTwo(
  seal: number,
  test: (setting: {
    path: string;
    mine: ReturnType<typeof splitRecording>;
    other: ReturnType<typeof splitRecording>;
    /** Asserts that a changed recording is not called genuine. */
    noticed: (what: string, bytes: Uint8Array) => void;
  }) => void,
): void {
  withFolder((folder) => {
    const write = (generation: number, recording: string) =>
      recordTrace(folder, {
        cpu: new FakeCpu(seal, 6 + generation),
        generation,
        rich: true,
        files: { recording, klog: "k" },
      }).path;
    const path = write(1, "r");
    const second = write(2, "r2");
    const [a, b] = [path, second].map((each) => Deno.readFileSync(each));
    const both = [verifyRecording(path), verifyRecording(second)];
    for (const result of both) {
      // The finding is the only thing that is wrong with them.
      assert.deepEqual(result.problems, [
        "while tracing: no heartbeat: after 100",
      ]);
      assert.equal(result.total.verified, 150);
      assert.equal(result.total.lost, 50);
    }
    const changed = `${folder}/changed`;
    test({
      path,
      mine: splitRecording(a),
      other: splitRecording(b),
      noticed: (what, bytes) => {
        Deno.writeFileSync(changed, bytes);
        let problems: readonly string[];
        try {
          problems = verifyRecording(changed).problems;
        } catch (error) {
          assert.ok(error instanceof XftraceError, `${what}: ${error}`);
          return;
        }
        // Besides what the trace itself found.
        assert.ok(
          problems.some((each) => !each.startsWith("while tracing")),
          `${what}: ${problems.join("; ")}`,
        );
      },
    });
  });
}

for (const [name, seal] of Object.entries(SEAL_NUMBER)) {
  Deno.test(`no block can be changed, dropped, doubled, moved or exchanged: ${name}`, () =>
    withTwo(seal, ({ mine: { start, blocks }, other, noticed }) => {
      const put = (what: string, list: readonly Uint8Array[]) =>
        noticed(what, joinRecording(start, list));
      blocks.forEach((block, i) => {
        const without = blocks.toSpliced(i, 1);
        put(`${i} dropped`, without);
        put(`${i} doubled`, blocks.toSpliced(i, 0, block));
        put(`all from ${i} on dropped`, blocks.slice(0, i));
        put(`${i} cut`, [...blocks.slice(0, i), block.slice(0, -1)]);
        put(`${i} of another trace`, blocks.with(i, other.blocks[i]));
        put(
          `${i} of another trace too`,
          blocks.toSpliced(i, 0, other.blocks[i]),
        );
        blocks.forEach((_, j) => {
          if (j !== i) {
            put(`${i} moved to ${j}`, without.toSpliced(j, 0, block));
          }
          if (j > i) {
            put(
              `${i} and ${j} exchanged`,
              blocks.with(i, blocks[j]).with(j, block),
            );
          }
        });
        put(`${i} again at the end`, [...blocks, block]);
      });
      put("all of another trace's", other.blocks);
      noticed("another header", joinRecording(other.start, blocks));
      noticed("nothing but the header", start);
    }));

  Deno.test(`no bit of any block or of the header can be changed: ${name}`, () =>
    withTwo(seal, ({ mine: { start, blocks }, noticed }) => {
      const whole = joinRecording(start, blocks);
      const bodies: number[] = [];
      let at = start.length;
      for (const block of blocks) {
        bodies.push(at);
        at += block.length;
      }
      const flip = (byte: number, mask: number) => {
        const bytes = whole.slice();
        bytes[byte] ^= mask;
        noticed(`byte ${byte} ^ ${mask}`, bytes);
      };
      // All of the header, and of each block's head and tag.
      for (let byte = 0; byte < start.length; byte++) flip(byte, 1);
      for (const from of bodies) {
        for (let i = 0; i < HEAD_BYTES + TAG_BYTES; i++) flip(from + i, 1);
      }
      fc.assert(
        fc.property(
          fc.integer({ min: start.length, max: whole.length - 1 }),
          fc.integer({ min: 1, max: 255 }),
          flip,
        ),
        { numRuns: times(100) },
      );
    }));
}

Deno.test("the kind of seal is what the key log says", () =>
  withTwo(SEAL.ratchet, ({ path, mine: { start, blocks } }) => {
    // Entries are replaced, the finding is dropped, and the header says that
    // nothing was sealed.
    const none = start.slice();
    const at = new TextDecoder("latin1").decode(start).indexOf('"seal":3');
    none[at + 7] = 0x30;
    const forged = new FakeCpu(SEAL.none, 99);
    const changed = blocks
      .filter((block) =>
        new DataView(block.buffer).getUint32(0, true) !== BLOCK.finding
      )
      .map((block) => {
        const view = new DataView(block.buffer);
        if (view.getUint32(0, true) !== BLOCK.entries) return block;
        const from = view.getUint32(8, true) - 1;
        const bytes = block.slice();
        bytes.set(forged.bytes(from, from + 50), HEAD_BYTES + TAG_BYTES);
        return bytes;
      });
    const v2 = joinRecording(none, changed);
    for (const bytes of [v2, toVersion1(v2)]) {
      Deno.writeFileSync(path, bytes);
      const { total, problems } = verifyRecording(path);
      assert.equal(total.verified, 0);
      assert.match(
        problems.join("; "),
        /says that its seal is none, and the key log siphash\+ratchet/,
      );
    }
  }));

Deno.test("what is not authentic is not shown: no names, no lost entries", () =>
  withTwo(SEAL.siphash, ({ path, mine: { start, blocks } }) => {
    const changed = blocks.map((block) => block.slice());
    for (const block of changed) {
      const type = new DataView(block.buffer).getUint32(0, true);
      if (type === BLOCK.names) block[HEAD_BYTES + TAG_BYTES + 9] ^= 1;
      if (type === BLOCK.lost) block[16] = 49;
    }
    Deno.writeFileSync(path, joinRecording(start, changed));
    const { recording, total, problems } = verifyRecording(path);
    assert.deepEqual(Object.keys(recording.names), []);
    assert.equal(total.lost, 0);
    assert.equal(total.missing, 50);
    assert.equal(total.verified, 150);
    assert.equal(problems.filter((p) => p.includes("is not what")).length, 4);
  }));

Deno.test("a recording of an older version is read, and what is not authenticated is said", () => {
  for (const seal of [SEAL.none, SEAL.siphash, SEAL.ratchet]) {
    withFolder((folder) => {
      const cpu = new FakeCpu(seal);
      const { path } = recordTrace(folder, { cpu });
      const bytes = Deno.readFileSync(path);
      const old = klogToVersion1(folder, cpu);
      Deno.writeFileSync(path, toVersion1(bytes));
      const result = verifyRecording(path, old);
      assert.deepEqual(result.problems, []);
      assert.equal(result.total.verified, FakeCpu.COUNT);
      assert.match(
        result.unauthenticated ?? "",
        /before 0\.3.*not authenticated/,
      );
      assert.equal(isUnharmed(result), true);
      assert.equal(isClean(result), false);
      // With a log that has a key for it, the old format is a forgery.
      assert.match(
        verifyRecording(path).problems.join("; "),
        /it says that it is of version 1, and its key log says 2/,
      );
      // Tags that nobody can check are worth nothing.
      Deno.writeFileSync(path, bytes);
      const strange = verifyRecording(path, old);
      assert.match(strange.problems.join("; "), /has no key for the blocks/);
      assert.equal(strange.unauthenticated, undefined);
    });
  }
});

Deno.test("a collector that was killed at any byte leaves what can be verified up to there", () =>
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu, ended: false });
    const whole = Deno.readFileSync(path);
    const { start, blocks } = splitRecording(whole);
    // The last checkpoint is only written with the last block here, so a
    // shorter recording was cut, and that is said besides.
    for (let cut = start.length; cut < whole.length; cut += 997) {
      Deno.writeFileSync(path, whole.subarray(0, cut));
      const { total, problems } = verifyRecording(path);
      const kept = Math.floor((cut - start.length) / blocks[0].length);
      assert.equal(total.verified, kept * 50);
      assert.equal(total.forged, 0);
      assert.match(
        problems.join("; "),
        /was not stopped.*the recording was cut/,
      );
    }
  }));
