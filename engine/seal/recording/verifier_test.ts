import assert from "node:assert/strict";
import { ENTRY, ENTRY_WORDS, SEAL_NUMBER, type SealName } from "../page/abi.ts";
import { Klog } from "../keys/klog.ts";
import { KLOG, type KlogEntry } from "../keys/klog_format.ts";
import { readKlog } from "../keys/read_klog.ts";
import { ratchet, takeKey } from "../keys/seals.ts";
import { sealEntry } from "../keys/seals_fixture.ts";
import { RecordingKey } from "./authentication.ts";
import { RecordingWriter } from "./recording.ts";
import {
  FakeCpu,
  joinRecording,
  NONCE,
  recordTrace,
  splitRecording,
  withFolder,
} from "./recording_fixture.ts";
import { SealVerifier, type VerdictCounts } from "./verifier.ts";
import { isClean, verifyRecording } from "./verify_recording.ts";

const SEALS: readonly SealName[] = ["xor", "siphash", "siphash+ratchet"];
function judge(
  cpu: FakeCpu,
  change: (verifier: SealVerifier) => void = () => {},
): VerdictCounts {
  const verifier = new SealVerifier(cpu.seal);
  for (const { epoch, first, key } of cpu.keys) {
    verifier.key(0, epoch, key);
    verifier.taken(0, epoch, first);
  }
  change(verifier);
  verifier.feed(0, cpu.words, cpu.words.length / ENTRY_WORDS);
  const { total } = verifier.finish();
  const sum = Object.values(total).reduce((a, b) => a + b);
  assert.equal(sum, FakeCpu.COUNT, "each position has one verdict");
  return total;
}

const only = (counts: VerdictCounts, wrong: Partial<VerdictCounts>) => {
  const expected = { ...counts, ...wrong };
  const bad = Object.values(wrong).reduce((a, b) => a + b, 0);
  assert.deepEqual(counts, expected);
  assert.equal(counts.verified, FakeCpu.COUNT - bad);
};

Deno.test("epochs are compared as unsigned numbers, of which an entry has the low half", () => {
  for (const base of [0, 2 ** 31 - 2, 2 ** 32 - 2, 2 ** 40]) {
    const seal = SEAL_NUMBER["siphash+ratchet"];
    const words = new Int32Array(4 * ENTRY_WORDS);
    const verifier = new SealVerifier(seal);
    const cpu = new FakeCpu(seal);
    const key = new Int32Array(4);
    for (let n = 0; n < 4; n++) {
      const host = Int32Array.of(n, 5, 6, 7);
      const epoch = base + n + 1;
      verifier.key(0, epoch, host);
      verifier.taken(0, epoch, n + 1);
      takeKey(seal, key, host);
      cpu.fill(n, epoch);
      words.set(cpu.entry(n), n * ENTRY_WORDS);
      sealEntry(seal, key, words, n * ENTRY_WORDS);
      ratchet(key);
    }
    verifier.feed(0, words, 4);
    const { total } = verifier.finish();
    assert.equal(total.verified, 4, `from ${base}`);
  }
});

Deno.test("a verifier that keeps only the last epochs counts all of them", () => {
  const seal = SEAL_NUMBER["siphash+ratchet"];
  const verifier = new SealVerifier(seal, undefined, { keptEpochs: 8 });
  const key = new Int32Array(4);
  let sequence = 1;
  for (let epoch = 1; epoch <= 500; epoch++) {
    const host = Int32Array.of(epoch, 5, 6, 7);
    verifier.key(0, epoch, host);
    verifier.taken(0, epoch, sequence);
    takeKey(seal, key, host);
    const words = new Int32Array(ENTRY_WORDS);
    words[ENTRY.epoch / 4] = epoch;
    words[ENTRY.sequence / 4] = sequence;
    sealEntry(seal, key, words, 0);
    if (epoch % 100 === 0) words[ENTRY.func / 4] ^= 1;
    verifier.feed(0, words, 1);
    ratchet(key);
    sequence++;
    if (epoch % 10 === 0) {
      verifier.lost(0, 1);
      ratchet(key);
      sequence++;
    }
  }
  const { total, cpus: [{ counts, epochs }] } = verifier.finish();
  assert.deepEqual(
    [total.verified, total.forged, total.lost],
    [495, 5, 50],
  );
  assert.deepEqual(counts, total);
  assert.ok(epochs.size <= 8);
});

for (const name of SEALS) {
  const seal = SEAL_NUMBER[name];
  Deno.test(`each kind of tampering gets its verdict with ${name}`, () => {
    only(judge(new FakeCpu(seal)), {});

    let cpu = new FakeCpu(seal);
    cpu.words[60 * ENTRY_WORDS + 5] ^= 1;
    only(judge(cpu), { forged: 1 });

    cpu = new FakeCpu(seal);
    const [a, b] = [cpu.entry(60), cpu.entry(61)];
    cpu.put(60, b);
    cpu.put(61, a);
    only(judge(cpu), { reordered: 2 });

    cpu = new FakeCpu(seal);
    const [c, d] = [cpu.entry(49), cpu.entry(130)];
    cpu.put(49, d);
    cpu.put(130, c);
    only(judge(cpu), { reordered: 2 });

    // A whole epoch replaces a later one.
    cpu = new FakeCpu(seal);
    for (let n = 0; n < 50; n++) cpu.put(150 + n, cpu.entry(50 + n));
    only(judge(cpu), { replayed: 50 });

    cpu = new FakeCpu(seal);
    cpu.words.fill(0, 64 * ENTRY_WORDS, 128 * ENTRY_WORDS);
    only(judge(cpu), { missing: 64 });

    // The epoch has ended, but its key is still used.
    cpu = new FakeCpu(seal);
    const old = cpu.keyAfter[98].slice();
    if (seal === SEAL_NUMBER["siphash+ratchet"]) ratchet(old);
    cpu.fill(100, 2);
    sealEntry(seal, old, cpu.words, 100 * ENTRY_WORDS);
    only(judge(cpu), { late: 1 });

    // A key that was sent, but which the CPU has not taken yet.
    cpu = new FakeCpu(seal);
    const early = cpu.keyAfter[119].slice();
    takeKey(seal, early, cpu.keys[3].key);
    cpu.fill(120, 4);
    sealEntry(seal, early, cpu.words, 120 * ENTRY_WORDS);
    only(judge(cpu), { early: 1 });

    // The same entry from another CPU is a forgery here.
    cpu = new FakeCpu(seal);
    cpu.put(60, new FakeCpu(seal, 8).entry(60));
    only(judge(cpu), { forged: 1 });
  });
}

Deno.test("tampering with a recording is detected", () => {
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL_NUMBER["siphash+ratchet"]);
    const { path, klog } = recordTrace(folder, { cpu });
    assert.ok(isClean(verifyRecording(path)));
    const whole = Deno.readFileSync(path);
    const { start, blocks } = splitRecording(whole);
    const block = blocks[0].length;

    // Cut within a block, and at a block boundary.
    for (const cut of [block / 2, block, 2 * block]) {
      Deno.writeFileSync(path, whole.subarray(0, whole.length - cut));
      const result = verifyRecording(path);
      assert.ok(!isClean(result));
      assert.ok(result.total.missing >= 50);
    }
    // A block removed from the middle, and one that is repeated.
    const [a, b, c, d] = blocks;
    Deno.writeFileSync(path, joinRecording(start, [a, c, d]));
    assert.equal(verifyRecording(path).total.missing, 50);
    Deno.writeFileSync(path, joinRecording(start, [a, b, b, c, d]));
    assert.match(verifyRecording(path).problems.join(), /there twice/);
    // One bit anywhere in the entries.
    const flipped = whole.slice();
    flipped[whole.length - 4 * block + 40 + 64 * 7 + 20] ^= 4;
    Deno.writeFileSync(path, flipped);
    assert.equal(verifyRecording(path).total.forged, 1);
    Deno.writeFileSync(path, whole);

    // The log without its end, without a key, with the keys of another trace.
    const log = Deno.readFileSync(klog);
    Deno.writeFileSync(klog, log.subarray(0, log.length - 96));
    assert.match(verifyRecording(path).problems.join(), /cut short/);
    const changed = log.slice();
    changed[96 + 45] ^= 1;
    Deno.writeFileSync(klog, changed);
    assert.ok(!isClean(verifyRecording(path)));
  });
});

Deno.test("problems found while tracing are kept in the recording", () => {
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL_NUMBER.siphash);
    const { path, klog } = recordTrace(folder, { cpu, ended: false });
    {
      const key = new RecordingKey(readKlog(klog).records);
      const { writer, next } = RecordingWriter.resume(path, key);
      assert.deepEqual([...next], [[0, FakeCpu.COUNT + 1]]);
      writer.names({ "0x10": "one" });
      writer.finding({ problem: "switched off", detail: "by somebody" });
      writer.names({ "0x20": "two" });
      writer[Symbol.dispose]();
    }
    const { problems, total, recording } = verifyRecording(path);
    assert.ok(problems.includes("while tracing: switched off: by somebody"));
    assert.equal(problems.length, 2);
    assert.equal(total.verified, FakeCpu.COUNT);
    assert.deepEqual({ ...recording.names }, { "0x10": "one", "0x20": "two" });
    assert.ok(!isClean({ ...verifyRecording(path) }));
  });
});

Deno.test("a trace that was never stopped is not reported as complete", () => {
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL_NUMBER.siphash);
    const { path } = recordTrace(folder, { cpu, ended: false });
    const result = verifyRecording(path);
    assert.equal(result.total.verified, FakeCpu.COUNT);
    assert.match(result.problems.join(), /was not stopped/);
  });
});

Deno.test("a file that is not a recording, or belongs to other keys, is refused in a sentence", () => {
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL_NUMBER.siphash);
    const { path } = recordTrace(folder, { cpu });
    const other = `${folder}/other`;
    {
      using log = new Klog(other);
      log.append([{ type: KLOG.start, a: 9, key: NONCE }]);
    }
    assert.throws(() => verifyRecording(path, other), /has no keys for/);
    assert.throws(
      () => verifyRecording(path, `${folder}/no`),
      /cannot be read/,
    );
    Deno.writeFileSync(path, new Uint8Array(100));
    assert.throws(() => verifyRecording(path), /is no sealed recording/);
  });
});

Deno.test("a record of which only zeros are missing is a torn one too", () => {
  withFolder((folder) => {
    const klog = `${folder}/k`;
    // The last byte of one hash in 256 is zero.
    for (let n = 1;; n++) {
      {
        using log = new Klog(klog);
        log.append([{ type: KLOG.key, cpu: 0, a: n }]);
      }
      const whole = Deno.readFileSync(klog);
      if (whole.at(-1) === 0) {
        // What the head says was written after the record, and so is not there.
        Deno.writeFileSync(klog, whole.subarray(0, -1));
        Deno.removeSync(`${klog}.head`);
        break;
      }
      Deno.removeSync(klog);
      Deno.removeSync(`${klog}.head`);
    }
    {
      using log = new Klog(klog);
      log.append([{ type: KLOG.key, cpu: 0, a: 1_000_000 }]);
    }
    const { problems, records } = readKlog(klog);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      records.map(({ type, a }) => [type, a]),
      [[KLOG.resume, 64], [KLOG.key, 1_000_000]],
    );
    assert.equal(Deno.statSync(klog).size % 96, 0);
  });
});

Deno.test("a key log that a crash cut at any byte can be continued", () => {
  withFolder((folder) => {
    const klog = `${folder}/k`;
    const key = Int32Array.of(1, 2, 3, 4);
    const entries = (n: number): KlogEntry[] => [
      { type: KLOG.key, cpu: n, a: n, key },
    ];
    {
      using log = new Klog(klog);
      for (let n = 1; n <= 3; n++) log.append(entries(n));
    }
    assert.equal(Deno.statSync(klog).mode! & 0o777, 0o600);
    const whole = Deno.readFileSync(klog);
    const head = Deno.readFileSync(`${klog}.head`);
    // The fourth record was being written when the writer was killed.
    {
      using log = new Klog(klog);
      log.append(entries(4));
    }
    const longer = Deno.readFileSync(klog);
    for (let cut = 0; cut <= 96; cut++) {
      Deno.writeFileSync(klog, longer.subarray(0, whole.length + cut));
      Deno.writeFileSync(`${klog}.head`, head);
      {
        using log = new Klog(klog);
        log.append(entries(5));
      }
      const reading = readKlog(klog);
      assert.deepEqual(reading.problems, [], `cut at ${cut}`);
      const keys = reading.records.filter((r) => r.type === KLOG.key);
      assert.deepEqual(keys.map((r) => r.a), [1, 2, 3, 5]);
      assert.deepEqual(keys[3].key, key);
    }
    // Fewer records than the head file states cannot result from a crash.
    Deno.writeFileSync(klog, whole.subarray(0, whole.length - 96));
    Deno.writeFileSync(`${klog}.head`, head);
    assert.throws(() => new Klog(klog), /cut short/);
    Deno.chmodSync(klog, 0o644);
    assert.throws(() => new Klog(klog), /others can read/);
  });
});
