/**
 * The disk that a recording is written to gets full, or the guest ends while it
 * is watched: what there was is not lost, and one sentence says where it is.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../../../engine/base/errors.ts";
import { hostTest } from "../../host/other_user_fixture.ts";
import {
  assertOneClearError,
  bootGuest,
  ended,
  type Guest,
  SLOW,
  startXftrace,
  TRACEFS,
  xftrace,
} from "../support_fixture.ts";
import { SmallDisk } from "./small_disk_fixture.ts";

/** Ends a recording that does not notice that the disk is full. */
const MOST_S = "120";
/** Many events, for as long as the guest runs. */
const BUSY = `cd ${TRACEFS}
echo nop > current_tracer; echo 0 > events/enable; echo > trace
echo 1 > events/sched/enable; echo 1 > events/irq/enable; echo 1 > tracing_on
(while :; do cat /proc/version > /dev/null; done) > /dev/null 2>&1 &`;

/** The file that an error names, which is removed, as lines. */
function linesOf(error: string, name: string): Record<string, unknown>[] {
  const path = new RegExp(`is in (\\S*/xftrace-\\S*-${name})`).exec(error)?.[1];
  assert.ok(path !== undefined, error);
  const text = Deno.readTextFileSync(path);
  Deno.removeSync(path);
  assert.ok(text.endsWith("\n"));
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

const filesIn = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name);

hostTest(
  "a recording whose disk gets full, and a guest that ends while it is watched",
  async () => {
    await using guest = await bootGuest("6.1");
    await guest.sh(BUSY, SLOW);
    await full(guest);
    await fullOfSeveral(guest);
    await endsWhileWatched(guest);
  },
);

async function full({ target }: Guest): Promise<void> {
  console.log("  one guest: the disk is full");
  using disk = new SmallDisk(600);
  const run = await xftrace([
    "record",
    ...["-t", target, "-o", join(disk.path, "one.jsonl"), "--for", MOST_S],
  ]);
  console.log(run.err.trimEnd());
  assertOneClearError(
    run,
    /cannot write \S*one\.jsonl: the disk is full; free room, or choose another place with -o; what was traced until then is in/,
    1,
  );
  const lines = linesOf(run.err, "one.jsonl");
  const told = /^([\d,]+) events, /m.exec(run.err)?.[1].replaceAll(",", "");
  const events = lines.filter(({ name }) => name !== undefined);
  assert.equal(events.length, Number(told));
  assert.ok(events.length > 1000);
  assert.deepEqual(filesIn(disk.path), []);
}

async function fullOfSeveral({ target }: Guest): Promise<void> {
  console.log("  a time line: the disk is full, and there is no host.dat");
  using disk = new SmallDisk(600);
  const run = await xftrace([
    "record",
    ...["-t", target, "--host", join(disk.path, "host.dat")],
    ...["-o", join(disk.path, "all.jsonl"), "--for", "60"],
  ]);
  console.log(run.err.trimEnd());
  // Errors and warnings begin alike.
  assert.equal(run.code, 1);
  assert.match(
    run.err,
    /^xftrace: not all was kept: of \S+: cannot write \S*0\.spool: the disk is full; free room, or choose another place with -o; what was traced until then is in /m,
  );
  assert.equal([...run.err.matchAll(/host\.dat/g)].length, 1, run.err);
  const lines = linesOf(run.err, "all.jsonl");
  const told = /: ([\d,]+) events, /.exec(run.err)?.[1].replaceAll(",", "");
  const events = lines.filter(({ name }) => name !== undefined);
  assert.equal(events.length, Number(told));
  assert.ok(events.length > 1000);
  assert.deepEqual(filesIn(disk.path), []);
}

async function endsWhileWatched(guest: Guest): Promise<void> {
  console.log("  top in lines: the guest ends");
  // So long an interval that only the end of the guest prints lines.
  const child = startXftrace([
    "top",
    ...["-t", guest.target, "--plain", "--interval", "600"],
  ]);
  const before = events(await firstJson(guest));
  assert.ok(before > 0);
  await guest.down();
  const run = await ended(child);
  assertOneClearError(
    run,
    /has ended; what was counted until then is above/,
    EXIT.gone,
  );
  assert.equal([...run.out.matchAll(/^events /gm)].length, 1, run.out);
  const [, counted] = /^events ([\d,]+), /m.exec(run.out) ?? [];
  assert.ok(Number(counted.replaceAll(",", "")) > 100, run.out);
  assert.match(run.out, /sched_switch/);
}

const events = (line: string) => JSON.parse(line).events as number;

/** Another view's first interval: the first view has begun by then. */
async function firstJson({ target }: Guest): Promise<string> {
  const run = await xftrace(["top", "-t", target, "--json", "-n", "3"]);
  assert.equal(run.code, 0, run.err);
  return run.out.trimEnd().split("\n").at(-1) ?? "";
}
