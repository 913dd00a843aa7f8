import assert from "node:assert/strict";
import { ENTRY, ENTRY_KIND, ENTRY_WORDS, SEAL } from "../../seal/page/abi.ts";
import { recordManyKeys } from "../../seal/recording/many_keys_fixture.ts";
import {
  FakeCpu,
  joinRecording,
  recordTrace,
  splitRecording,
  withFolder,
} from "../../seal/recording/recording_fixture.ts";
import {
  isClean,
  verifyRecording,
} from "../../seal/recording/verify_recording.ts";
import { JSONL } from "../formats/jsonl.ts";
import { writeTimeLine } from "./write_time_line.ts";
import { SealedEvents } from "./sealed_events.ts";

/** A line of JSON, as far as it is looked at here. */
interface Line {
  readonly ts?: number;
  readonly cpu?: number;
  readonly name?: string;
  readonly fields?: { readonly duration?: number };
  readonly lost?: number;
  readonly seal?: string;
}

/** What a recording is as JSON. */
function written(path: string): { lines: Line[]; lost: number } {
  const trace = SealedEvents.read(path);
  let text = "";
  const { events, lost } = writeTimeLine([{
    source: trace.source({ kind: "unknown", text: "a verdict" }),
    runs: trace.runs(0n, (ts) => ts),
  }], JSONL.writer((chunk) => text += String(chunk)));
  const lines: Line[] = text.trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.equal(lines.filter(({ name }) => name !== undefined).length, events);
  return { lines, lost };
}

/** The times of entries, by which the fixture numbers them. */
function timesOf(lines: readonly Line[]): number[] {
  return lines.flatMap(({ ts }) => ts === undefined ? [] : [ts]);
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => 1000 + from + i);

Deno.test("a sealed trace: all CPUs in order of time, with durations", () =>
  withFolder((folder) => {
    const { path, entries } = recordManyKeys(folder, 100);
    const { lines, lost } = written(path);
    assert.equal(lost, 0);
    assert.equal(lines[0].seal, "unknown");
    const times = timesOf(lines);
    assert.equal(times.length, entries);
    assert.deepEqual(times, [...times].sort((a, b) => a - b));
    // The fixture's outermost call takes seven entries of 2 µs.
    const returns = lines.flatMap(({ fields }) => fields?.duration ?? []);
    assert.equal(returns.length, entries / 2);
    assert.equal(Math.max(...returns), 14_000);
  }));

Deno.test("entries that were lost or are not genuine are missing, and said to be", () =>
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu, rich: true });
    const { lines, lost } = written(path);
    assert.equal(lost, 50);
    assert.deepEqual(timesOf(lines), [
      ...numbers(0, 100),
      ...numbers(150, 200),
    ]);
    const at = lines.findIndex((line) => line.lost !== undefined);
    assert.equal(lines[at].lost, 50);
    assert.equal(lines[at + 1].ts, 1150);

    const forged = new FakeCpu(SEAL.siphash);
    const words = forged.entry(60);
    words[ENTRY.time / 4] = 7;
    forged.put(60, words);
    const other = recordTrace(folder, {
      cpu: forged,
      files: { recording: "f", klog: "fk" },
    });
    const { verification } = SealedEvents.read(other.path);
    assert.equal(verification.total.forged, 1);
    assert.deepEqual(verification.total, verifyRecording(other.path).total);
    assert.ok(!isClean(verification));
    const shown = written(other.path);
    assert.deepEqual(timesOf(shown.lines), [
      ...numbers(0, 60),
      ...numbers(61, 200),
    ]);
    assert.deepEqual(
      shown.lines.flatMap(({ lost }) => lost ?? []),
      [1],
    );
    assert.equal(shown.lost, 1);
  }));

Deno.test("no entry of a changed recording is an event unless it is verified", () =>
  withFolder((folder) => {
    const cpu = new FakeCpu(SEAL.ratchet);
    const { path } = recordTrace(folder, { cpu });
    const { start, blocks } = splitRecording(Deno.readFileSync(path));
    // A block twice, two of them swapped, and one that is gone.
    const orders = [[0, 1, 1, 2, 3], [0, 2, 1, 3], [0, 1, 3]];
    for (const order of orders) {
      Deno.writeFileSync(
        path,
        joinRecording(start, order.map((i) => blocks[i])),
      );
      const { verification } = SealedEvents.read(path);
      assert.ok(!isClean(verification), `${order}`);
      const times = timesOf(written(path).lines);
      assert.equal(times.length, verification.total.verified, `${order}`);
      assert.equal(new Set(times).size, times.length, `${order}`);
    }
  }));

/** Entries of which the fixture has none. */
function named(n: number, time: number, comm: string, kind: number) {
  const words = new Int32Array(ENTRY_WORDS);
  const bytes = new Uint8Array(words.buffer);
  words[ENTRY.time / 4] = time;
  words[ENTRY.pid / 4] = 42;
  words[ENTRY.sequence / 4] = n + 1;
  words[ENTRY.epoch / 4] = 1;
  words[ENTRY.depth / 4] = kind << 16;
  bytes.set(new TextEncoder().encode(comm), ENTRY.func);
  return words;
}

Deno.test("a thread has the name that it had then", () =>
  withFolder((folder) => {
    class Naming extends FakeCpu {
      override fill(n: number, epoch: number): void {
        super.fill(n, epoch);
        this.words[n * ENTRY_WORDS + ENTRY.pid / 4] = 42;
        if (n !== 0 && n !== 30) return;
        const entry = named(
          n,
          1000 + n,
          n === 0 ? "cat" : "dog",
          ENTRY_KIND.comm,
        );
        this.put(n, entry);
      }
    }
    const { path } = recordTrace(folder, { cpu: new Naming(SEAL.ratchet) });
    const trace = SealedEvents.read(path);
    const comms: (string | undefined)[] = [];
    const { meta } = trace.source({ kind: "good", text: "" });
    const runs = trace.runs(0n, (ts) => ts);
    for (const { columns, from, to, refresh } of runs) {
      if (refresh) comms.push(meta.comm(42));
      assert.ok(to > from && columns.pid[from] === 42);
    }
    assert.deepEqual(comms, ["cat", "dog"]);
  }));
