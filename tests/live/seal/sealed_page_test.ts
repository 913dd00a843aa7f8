/**
 * A sealed trace of a real guest on a page, and on a time line beside the
 * guest's own trace: its verdict is that of `verify`.
 */
import assert from "node:assert/strict";
import { readPage } from "../../../engine/output/formats/html_fixture.ts";
import { HostClock } from "../../../ffi/host_clock.ts";
import { ended, startXftrace, TRACEFS } from "../support_fixture.ts";
import { assertNoOops, openLoad, sealedGuest } from "./support_fixture.ts";
import { User } from "./user_fixture.ts";

/** A line of JSON, as far as it is looked at here. */
interface Line {
  readonly target?: string;
  readonly ts?: number;
  readonly comm?: string;
  readonly name?: string;
  readonly fields?: { readonly func?: string };
  readonly seal?: string;
  readonly verdict?: string;
  readonly clock?: string;
  readonly errorNs?: number | null;
}

const OPENAT = "__x64_sys_openat";

/** What the page about a recording says. */
async function pageOf(recording: string, html: string) {
  const run = await ended(
    startXftrace(["report", "-t", `xfs:${recording}`, "--html", html]),
  );
  const { data, rows } = readPage(Deno.readTextFileSync(html));
  const { trace } = data;
  assert.ok(trace !== undefined);
  const verify = await ended(startXftrace(["verify", recording, "--json"]));
  assert.equal(run.code, verify.code, run.err);
  return {
    code: run.code,
    data,
    trace,
    rows: rows.map(({ name }) => trace.names[name]),
    verified: JSON.parse(verify.out).total.verified,
  };
}

/** Waits until a recorder has begun, and Ctrl-C ends it as it should. */
async function recordingIn(folder: string, { pid }: Deno.ChildProcess) {
  const begun = () =>
    [...Deno.readDirSync(folder)].some(({ name }) =>
      name.startsWith(".xftrace-record-") &&
      [...Deno.readDirSync(`${folder}/${name}`)].length > 0
    );
  const catches = () => {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const [, mask = "0"] = /^SigCgt:\s*(\w+)$/m.exec(status) ?? [];
    return (BigInt(`0x${mask}`) & 2n) !== 0n;
  };
  while (!begun() || !catches()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("a sealed trace on a page and on a time line, 6.12", async (t) => {
  await using guest = await sealedGuest("6.12");
  using user = new User(guest);
  const recording = user.path("trace.xfs");
  await guest.sh(
    `cd ${TRACEFS}; echo 1 > events/sched/sched_switch/enable; echo 1 > tracing_on`,
  );
  await user.ok("on", "sys_open", "sys_read", "--rotate", "10");
  const output = user.path("all.jsonl");
  const record = user.start("record", "--sealed", recording, "-o", output);
  await recordingIn(user.folder, record);
  const clock = new HostClock();
  const began = clock.now();
  await guest.sh(openLoad(10));
  const until = clock.now();
  const off = await user.off();
  assert.equal(off.verification.clean, true);
  record.kill("SIGINT");
  const recorded = await ended(record);
  console.log(recorded.err.trimEnd());

  await t.step("beside the guest's own trace, at the host's times", () => {
    assert.equal(recorded.code, 0, recorded.err);
    const lines: Line[] = Deno.readTextFileSync(output).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    const sealed = lines.filter(({ target }) => target?.includes(" sealed ("));
    const [seal, about, ...events] = sealed;
    assert.equal(seal.seal, "good");
    assert.match(seal.verdict ?? "", /^verified: nothing was added/);
    assert.equal(about.clock, "CLOCK_MONOTONIC of the host");
    const error = about.errorNs ?? Infinity;
    assert.ok(error < 1e9, `${error}`);
    const times = events.flatMap(({ ts, comm, name, fields }) =>
      name === "funcgraph_entry" && comm === "cat" && fields?.func === OPENAT
        ? [(ts ?? NaN) - Number(clock.base)]
        : []
    );
    // Two files of each cat.
    assert.ok(times.length >= 20, `${times.length}`);
    for (const time of times) {
      assert.ok(
        time > began - error && time < until + error,
        `${began} ${time} ${until} ${error}`,
      );
    }
    const all = lines.flatMap(({ ts }) => ts ?? []);
    assert.deepEqual(all, [...all].sort((a, b) => a - b));
    console.log(
      `${times.length} calls in ${
        (until - began) / 1e6
      } ms, wrong by ${error} ns at most`,
    );
  });

  await t.step("the page says that it is verified", async () => {
    const page = await pageOf(recording, user.path("good.html"));
    assert.equal(page.code, 0);
    assert.equal(page.data.verdict?.kind, "good");
    assert.ok(
      page.data.facts?.some(([name, text]) =>
        name === "Key log" && text.endsWith("trace.klog")
      ),
    );
    assert.ok(page.rows.filter((name) => name === OPENAT).length >= 40);
    assert.ok(page.trace.events <= page.verified);
    assert.equal(page.trace.lost, 0);
    assert.deepEqual(page.trace.foreign, []);
  });

  await t.step("and of a changed one that it is not genuine", async () => {
    const before = await pageOf(recording, user.path("good.html"));
    const bytes = Deno.readFileSync(recording);
    bytes[bytes.length >> 1] ^= 1;
    Deno.writeFileSync(recording, bytes);
    const page = await pageOf(recording, user.path("bad.html"));
    assert.equal(page.code, 2);
    assert.equal(page.data.verdict?.kind, "bad");
    assert.match(page.data.verdict?.text ?? "", /^NOT GENUINE: /);
    assert.ok(page.verified < before.verified);
    assert.ok(page.trace.events <= page.verified);
    assert.ok(page.trace.events <= before.trace.events);
  });
  assertNoOops(guest);
});
