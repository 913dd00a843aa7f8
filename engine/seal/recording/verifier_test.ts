import assert from "node:assert/strict";
import {
  ENTRY,
  ENTRY_KIND,
  ENTRY_WORDS,
  SEAL_NUMBER,
  type SealName,
} from "../page/abi.ts";
import { KLOG, Klog, type KlogEntry, readKlog } from "../keys/klog.ts";
import { RecordingWriter } from "./recording.ts";
import { ratchet, takeKey } from "../keys/seals.ts";
import { sealEntry } from "../keys/seals_fixture.ts";
import { SealVerifier, type VerdictCounts } from "./verifier.ts";
import { isClean, nonceText, verifyRecording } from "./verify_recording.ts";

const SEALS: readonly SealName[] = ["xor", "siphash", "siphash+ratchet"];
const nonce = Int32Array.of(1, 2, 3, 4);

/** A CPU as run by the module: 4 epochs of 50 entries. */
class FakeCpu {
  readonly words: Int32Array;
  readonly keys: { epoch: number; first: number; key: Int32Array }[] = [];
  /** The module's key after each entry, by index. */
  readonly keyAfter: Int32Array[] = [];
  static readonly COUNT = 200;

  constructor(readonly seal: number, seed = 7) {
    this.words = new Int32Array(FakeCpu.COUNT * ENTRY_WORDS);
    const key = new Int32Array(4);
    for (let n = 0; n < FakeCpu.COUNT; n++) {
      if (n % 50 === 0) {
        const epoch = n / 50 + 1;
        const host = Int32Array.of(seed, epoch, epoch * 77, seed * 13);
        this.keys.push({ epoch, first: n + 1, key: host });
        takeKey(seal, key, host);
      }
      this.fill(n, Math.floor(n / 50) + 1);
      sealEntry(seal, key, this.words, n * ENTRY_WORDS);
      if (seal === SEAL_NUMBER["siphash+ratchet"]) ratchet(key);
      this.keyAfter.push(key.slice());
    }
  }

  fill(n: number, epoch: number): void {
    const at = n * ENTRY_WORDS;
    this.words[at + ENTRY.time / 4] = 1000 + n;
    this.words[at + ENTRY.func / 4] = -1000 - n;
    this.words[at + ENTRY.func / 4 + 1] = -1;
    this.words[at + ENTRY.depth / 4] = ENTRY_KIND.entry << 16;
    this.words[at + ENTRY.epoch / 4] = epoch;
    this.words[at + ENTRY.sequence / 4] = n + 1;
  }

  entry(n: number): Int32Array {
    return this.words.slice(n * ENTRY_WORDS, (n + 1) * ENTRY_WORDS);
  }

  put(n: number, words: Int32Array): void {
    this.words.set(words, n * ENTRY_WORDS);
  }
}

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

/** Writes a recording and its log, like the tracer. */
function record(folder: string, cpu: FakeCpu, ended = true): {
  path: string;
  klog: string;
} {
  const path = `${folder}/r`;
  const klog = `${folder}/k`;
  using log = new Klog(klog);
  log.append([{ type: KLOG.start, a: 1, b: cpu.seal, key: nonce }]);
  using writer = RecordingWriter.create(path, {
    seal: cpu.seal,
    nonce: nonceText(nonce),
    generation: 1,
    klog,
    target: "test",
    kernel: "6.1",
    kernelText: ["0x0", "0x0"],
    dispatcher: [],
  });
  for (const { epoch, first, key } of cpu.keys) {
    log.append([{ type: KLOG.key, a: epoch, key }]);
    log.append([{ type: KLOG.ack, a: epoch, b: first }], false);
  }
  for (let n = 0; n < FakeCpu.COUNT; n += 50) {
    const words = cpu.words.slice(n * ENTRY_WORDS, (n + 50) * ENTRY_WORDS);
    writer.entries(0, n + 1, new Uint8Array(words.buffer));
  }
  if (ended) {
    log.append([{ type: KLOG.stop, a: FakeCpu.COUNT }, { type: KLOG.end }]);
  }
  return { path, klog };
}

function withFolder(test: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("tampering with a recording is detected", () => {
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL_NUMBER["siphash+ratchet"]);
    const { path, klog } = record(folder, cpu);
    assert.ok(isClean(verifyRecording(path)));
    const whole = Deno.readFileSync(path);
    const block = 24 + 50 * 64;

    // Cut within a block, and at a block boundary.
    for (const cut of [block / 2, block, 2 * block]) {
      Deno.writeFileSync(path, whole.subarray(0, whole.length - cut));
      const result = verifyRecording(path);
      assert.ok(!isClean(result));
      assert.ok(result.total.missing >= 50);
    }
    // A block removed from the middle, and one that is repeated.
    const start = whole.length - 4 * block;
    Deno.writeFileSync(
      path,
      joined(
        whole.subarray(0, start + block),
        whole.subarray(start + 2 * block),
      ),
    );
    assert.equal(verifyRecording(path).total.missing, 50);
    Deno.writeFileSync(
      path,
      joined(
        whole.subarray(0, start + 2 * block),
        whole.subarray(start + block),
      ),
    );
    assert.match(verifyRecording(path).problems.join(), /there twice/);
    // One bit anywhere in the entries.
    const flipped = whole.slice();
    flipped[start + 24 + 64 * 7 + 20] ^= 4;
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
    const { path } = record(folder, new FakeCpu(SEAL_NUMBER.siphash));
    {
      const { writer, reading } = RecordingWriter.resume(path);
      assert.deepEqual(reading.findings, []);
      writer.names({ "0x10": "one" });
      writer.finding({ problem: "switched off", detail: "by somebody" });
      writer.names({ "0x20": "two" });
      writer[Symbol.dispose]();
    }
    const { problems, total, recording } = verifyRecording(path);
    assert.deepEqual(problems, ["while tracing: switched off: by somebody"]);
    assert.equal(total.verified, FakeCpu.COUNT);
    assert.deepEqual(recording.names, { "0x10": "one", "0x20": "two" });
    assert.ok(!isClean({ ...verifyRecording(path) }));
  });
});

Deno.test("a trace that was never stopped is not reported as complete", () => {
  withFolder((folder) => {
    const { path } = record(
      folder,
      new FakeCpu(SEAL_NUMBER.siphash),
      false,
    );
    const result = verifyRecording(path);
    assert.equal(result.total.verified, FakeCpu.COUNT);
    assert.match(result.problems.join(), /was not stopped/);
  });
});

Deno.test("a file that is not a recording, or belongs to other keys, is refused in a sentence", () => {
  withFolder((folder) => {
    const { path } = record(folder, new FakeCpu(SEAL_NUMBER.siphash));
    const other = `${folder}/other`;
    {
      using log = new Klog(other);
      log.append([{ type: KLOG.start, a: 9, key: nonce }]);
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

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
