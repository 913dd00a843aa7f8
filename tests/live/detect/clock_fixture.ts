/**
 * Shows with the guest's own clock that checks pause no virtual CPU: part of
 * the test of clean guests.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openCoreSession, type Session } from "../../../engine/session.ts";
import { takeSnapshot } from "../../../engine/snapshot/snapshot.ts";
import { check } from "./support_fixture.ts";
import type { Guest } from "../support_fixture.ts";

const ROUNDS = 3;
const INTERVAL_MS = 1200;
/** Long enough to be distinguished from a busy host. */
const PAUSE_MS = 800;

/** What one CPU of the guest measured. */
interface Gaps {
  readonly longestMs: number;
  /** The share of time in gaps of more than 50 ms. */
  readonly lost: number;
}

/** Measures in the guest while the host repeats `work`. */
async function measure(
  guest: Guest,
  work: () => Promise<unknown>,
): Promise<Gaps[]> {
  let text: string | undefined;
  const measured = guest.sh(`/tmp/clock_gaps ${INTERVAL_MS}`)
    .then((said) => text = said);
  // The failure is reported by the await below.
  measured.catch(() => text = "");
  while (text === undefined) {
    await work();
    await new Promise((done) => setTimeout(done, 1));
  }
  const gaps = (await measured).trim().split("\n").map((line) => {
    const [, , longest, all, whole] = line.split(" ").map(Number);
    return { longestMs: longest / 1e6, lost: all / whole };
  });
  assert.equal(gaps.length, 2, String(text));
  return gaps;
}

/** Asserts that no thread of the process is stopped or traced. */
function assertRuns(guest: Guest): void {
  const tasks = `/proc/${guest.pid}/task`;
  for (const { name } of Deno.readDirSync(tasks)) {
    const status = Deno.readTextFileSync(`${tasks}/${name}/status`);
    assert.match(status, /^TracerPid:\s+0$/m);
    assert.doesNotMatch(status, /^State:\s+[tT]/m);
  }
}

/**
 * Compares the guest's clock while it is checked with the clock while the same
 * checks run on a recording: checking the guest costs it no more time than any
 * such work on the host. If a check paused the guest, it would lose all of that
 * time. To show that a pause would be noticed, the clock is also measured while
 * the guest is stopped for short times.
 */
export async function noPause(
  guest: Guest,
  session: Session,
  program: string,
): Promise<void> {
  await guest.put(program, "/tmp/clock_gaps", 0o755);
  const checked: Gaps[] = [];
  const unchecked: Gaps[] = [];
  let runs = 0;
  const core = Deno.makeTempFileSync({ suffix: ".core" });
  using _ = { [Symbol.dispose]: () => Deno.removeSync(core) };
  await takeSnapshot(session, core, { full: true });
  using recorded = openCoreSession(`core:${core}`, core);
  for (let round = 0; round < ROUNDS; round++) {
    unchecked.push(...await measure(guest, () => check(recorded.kernel)));
    checked.push(
      ...await measure(guest, async () => {
        await check(session.kernel);
        runs++;
        assertRuns(guest);
      }),
    );
  }
  assert.deepEqual(await guest.qmp("query-status"), {
    running: true,
    status: "running",
  });
  // As often as it takes until the program runs in the guest, and measures.
  const paused = await measure(guest, async () => {
    await new Promise((done) => setTimeout(done, INTERVAL_MS / 4));
    Deno.kill(guest.pid, "SIGSTOP");
    await new Promise((done) => setTimeout(done, PAUSE_MS));
    Deno.kill(guest.pid, "SIGCONT");
  });
  const middle = (values: number[]) =>
    values.sort((a, b) => a - b)[values.length >> 1];
  const lost = (gaps: readonly Gaps[]) => middle(gaps.map((gap) => gap.lost));
  const longest = (gaps: readonly Gaps[]) =>
    middle(gaps.map((gap) => gap.longestMs));
  const said = (what: string, gaps: readonly Gaps[]) =>
    `${what}: ${(100 * lost(gaps)).toFixed(1)} % lost in gaps, longest ${
      longest(gaps).toFixed(1)
    } ms (medians)`;
  const report = [
    said(`${runs} checks`, checked),
    said("the same on a recording", unchecked),
    said(`stopped for ${PAUSE_MS} ms`, paused),
  ].join("; ");
  console.log(`  ${report}`);
  assert.ok(runs >= ROUNDS, report);
  // Halfway between what other work costs and all of the time.
  assert.ok(lost(checked) < (1 + lost(unchecked)) / 2, report);
  assert.ok(longest(paused) > PAUSE_MS / 2, report);
  assert.ok(longest(checked) < longest(paused), report);
}
