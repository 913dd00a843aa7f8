/**
 * `xftrace check` as a user runs it: part of the test of the hooks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { findKernel } from "../../../lab/packages/kernel.ts";
import { type Guest, startXftrace, xftrace } from "../support_fixture.ts";

const Run = z.object({
  verdict: z.string(),
  findings: z.array(z.object({ summary: z.string() })),
  unjudged: z.array(z.object({ what: z.string(), why: z.string() })),
  checks: z.array(z.object({ id: z.string(), notRun: z.string().nullable() })),
});

const Sarif = z.object({
  version: z.literal("2.1.0"),
  runs: z.array(z.object({
    results: z.array(z.object({
      ruleId: z.string(),
      message: z.object({ text: z.string() }),
    })),
  })),
});

/** Reads a stream until its text matches. */
async function untilSaid(
  reader: ReadableStreamDefaultReader<string>,
  wanted: RegExp,
): Promise<string> {
  let said = "";
  while (!wanted.test(said)) {
    const { value, done } = await reader.read();
    assert.ok(!done, `it ended and said only: ${said}`);
    said += value;
  }
  return said;
}

/** A full check, SARIF and exit codes, and `--watch`. */
export async function commandLine(
  series: string,
  guest: Guest,
  fixtures: string,
): Promise<void> {
  const { vmlinuz, modules = "" } = await findKernel(series, "amd64", () => {});
  const state = Deno.makeTempDirSync();
  const env = { XDG_STATE_HOME: state };
  try {
    const from = performance.now();
    const full = await xftrace([
      "check",
      guest.target,
      "--vmlinuz",
      vmlinuz,
      "--modules",
      modules,
      "--json",
    ], env);
    const seconds = (performance.now() - from) / 1000;
    console.log(`  a full check as a command: ${seconds.toFixed(1)} s`);
    const run = Run.parse(JSON.parse(full.out));
    assert.deepEqual([run.verdict, run.findings, run.unjudged], [
      "clean",
      [],
      [],
    ]);
    assert.equal(full.code, 0);
    const skipped = run.checks.filter(({ notRun }) => notRun !== null);
    assert.deepEqual(skipped.map(({ id }) => id), ["XF021", "XF022"]);

    await guest.put(`${fixtures}/det_seq.ko`, "/tmp/det_seq.ko");
    await guest.sh("insmod /tmp/det_seq.ko");
    const found = await xftrace(["check", guest.target, "--sarif"], env);
    await guest.sh("rmmod det_seq");
    assert.equal(found.code, 2, found.err);
    const [{ results }] = Sarif.parse(JSON.parse(found.out)).runs;
    // The table, and /proc/net/tcp, which uses it.
    assert.ok(results.some(({ ruleId }) => ruleId === "XF010"));
    for (const { message } of results) assert.match(message.text, /det_seq/);

    await watched(guest, env);
  } finally {
    Deno.removeSync(state, { recursive: true });
  }
}

/** Only changes are printed: what is new, and what has disappeared. */
async function watched(
  guest: Guest,
  env: Record<string, string>,
): Promise<void> {
  const watch = startXftrace(
    ["check", guest.target, "--only", "XF010,XF019", "--watch", "0.5"],
    env,
  );
  const reader = watch.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    await untilSaid(reader, /clean; 2 checks/);
    await guest.sh("insmod /tmp/det_seq.ko");
    await untilSaid(reader, /new +XF010 critical .*det_tcp_show \[det_seq\]/);
    await guest.sh("rmmod det_seq");
    const rest = await untilSaid(reader, /gone +XF010 critical/);
    assert.doesNotMatch(rest, /new/);
  } finally {
    watch.kill("SIGTERM");
    await reader.cancel();
    await watch.stderr.cancel();
    await watch.status;
  }
}
