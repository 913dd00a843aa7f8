/**
 * Helpers for live tests: guests, the command line as a user runs it, and
 * comparisons that say where they fail.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Guest, LabError } from "../../lab/mod.ts";
import type { Session } from "../../engine/session.ts";
import { attach } from "../../ffi/attach.ts";

/** The kernels on which live tests run. */
export const KERNELS = ["6.1", "6.12"] as const;

/** The newest kernel; the long suite runs its tests. */
export const NEWEST = "sid";

/** The oldest kernel; the long suite runs some of its tests. */
export const OLDEST = "5.10";

/** Where the guests mount tracefs. */
export const TRACEFS = "/sys/kernel/tracing";

/** Timeout for guest commands that are slow under emulation, ms. */
export const SLOW = { timeoutMs: 300_000 };

/** Boots a guest with two CPUs and room for a trace. */
export async function bootGuest(
  kernel: string,
  append = "",
): Promise<Guest> {
  return await Guest.boot({
    kernel,
    cpus: 2,
    append,
    onProgress: (step) => console.log(`  guest ${kernel}: ${step}`),
  });
}

/** Attaches to a guest of the lab, without the user's cache. */
export function attachTo(guest: Guest, writable = false): Session {
  return attach(guest.target, { writable });
}

/** The result of running the command. */
export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Starts the command `xftrace` as a process in a folder. */
export function startXftrace(
  args: readonly string[],
  env: Record<string, string> = {},
  folder?: string,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      fileURLToPath(import.meta.resolve("../../deno.json")),
      fileURLToPath(import.meta.resolve("../../scripts/xftrace.ts")),
      ...args,
    ],
    env,
    ...(folder === undefined ? {} : { cwd: folder }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Waits for a started command. */
export async function ended(child: Deno.ChildProcess): Promise<Run> {
  const { code, stdout, stderr } = await child.output();
  return {
    code,
    out: new TextDecoder().decode(stdout),
    err: new TextDecoder().decode(stderr),
  };
}

/** Runs the command `xftrace`. */
export async function xftrace(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  return await ended(startXftrace(args, env));
}

/** Like {@linkcode xftrace}, but returns standard output; must succeed. */
export async function xftraceOk(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { code, out, err } = await xftrace(args, env);
  assert.equal(code, 0, `xftrace ${args.join(" ")}: ${err}`);
  return out;
}

/** Asserts that a text is a one-line error without a stack trace. */
export function assertOneClearError(
  run: Run,
  expected: RegExp,
  code?: number,
): void {
  assert.match(run.err, expected);
  assert.doesNotMatch(run.err, /^\s+at /m, "a stack trace was shown");
  assert.doesNotMatch(run.err, /internal error/);
  const lines = run.err.split("\n").filter((line) =>
    line.startsWith("xftrace: ")
  );
  assert.equal(lines.length, 1, `not one error line: ${run.err}`);
  if (code === undefined) assert.notEqual(run.code, 0);
  else assert.equal(run.code, code);
}

/**
 * Asserts that two texts are equal line by line.
 *
 * @returns the number of lines.
 */
export function assertSameLines(got: string, want: string): number {
  const a = got.split("\n");
  const b = want.split("\n");
  const differ: string[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] === b[i]) continue;
    differ.push(`line ${i + 1}\n  want ${b[i]}\n  got  ${a[i]}`);
    if (differ.length === 5) break;
  }
  assert.equal(
    differ.length,
    0,
    `${a.length} lines against ${b.length}:\n${differ.join("\n")}`,
  );
  return a.length - 1;
}

/** Asserts that the guest's kernel has reported no problem. */
export function assertNoOops(guest: Guest): void {
  const bad = guest.serialLog().split("\n").filter((line) =>
    /BUG:|Oops:|general protection|WARNING: CPU|Kernel panic/.test(line)
  );
  assert.deepEqual(bad, []);
}

/** The guest's own switches, as its tracefs shows them. */
export async function guestSwitches(guest: Guest): Promise<string[]> {
  const text = await guest.sh(
    `cd ${TRACEFS}; for f in tracing_on current_tracer set_graph_function max_graph_depth trace_options; do echo "== $f"; cat $f; done`,
  );
  return text.split("\n");
}

export { Guest, LabError };
