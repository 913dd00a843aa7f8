/**
 * Every trace script and every lesson over the recordings: twice the same,
 * byte for byte, with `--allow-read` alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { compile, type Query } from "../../mod.ts";
import { evaluate } from "../../scripts/cli/eval.ts";
import type { Script } from "../../scripts/script.ts";
import blockTime from "../../scripts/block_time.ts";
import callGraph from "../../scripts/call_graph.ts";
import execs from "../../scripts/execs.ts";
import foreignCalls from "../../scripts/foreign_calls.ts";
import irqTime from "../../scripts/irq_time.ts";
import latencyHistogram from "../../scripts/latency_histogram.ts";
import opens from "../../scripts/opens.ts";
import processTree from "../../scripts/process_tree.ts";
import slowSyscalls from "../../scripts/slow_syscalls.ts";
import syscallCounts from "../../scripts/syscall_counts.ts";
import whoCalls from "../../scripts/who_calls.ts";
import { LESSONS } from "../dsl/one_liners.ts";
import { openRecording, RECORDED, runOver } from "../dsl/support.ts";

/** The scripts, with flags under which the recordings have something. */
const SCRIPTS: readonly [script: Script, ...args: string[]][] = [
  [blockTime],
  [callGraph, "--calls", "2"],
  [execs],
  [foreignCalls],
  [irqTime],
  [latencyHistogram],
  [opens],
  [processTree, "--process", "ls"],
  [slowSyscalls, "--over", "10us"],
  [syscallCounts],
  [whoCalls, "--function", "kmem_cache_alloc*", "--under", "sys_openat"],
];

/** What the recordings hold nothing of: no event of theirs was enabled. */
const EMPTY = new Set(["execs", "foreign_calls", "block_time", "irq_time"]);

function replay(
  kernel: typeof RECORDED[number],
  queries: () => readonly Query<unknown>[],
): { text: string; events: number } {
  using recording = openRecording(kernel);
  const { target, frame } = recording;
  const program = compile(queries().map((query) => query.spec), target.facts);
  const result = runOver(program, target, frame);
  return {
    text: result.written + result.texts.join("\n"),
    events: result.events.reduce((sum, n) => sum + n, 0),
  };
}

for (const kernel of RECORDED) {
  for (const [script, ...args] of SCRIPTS) {
    Deno.test(`script ${script.name} on the recorded ${kernel} guest`, () => {
      const run = () => replay(kernel, () => script.queries(args));
      if (script.name === "execs") {
        assert.throws(run, /sched_process_exec is not in the recording/);
        return;
      }
      const first = run();
      assert.deepEqual(run(), first);
      if (!EMPTY.has(script.name)) {
        assert.ok(first.events > 0, "no events");
        assert.notEqual(first.text, "");
      }
    });
  }
  for (const { title, code } of LESSONS) {
    Deno.test(`lesson "${title}" on the recorded ${kernel} guest`, () => {
      const run = () => replay(kernel, () => evaluate(code));
      const first = run();
      assert.deepEqual(run(), first);
      assert.ok(first.events > 0, "no events");
    });
  }
}

Deno.test("scripts: each is short", () => {
  const folder = new URL("../../scripts/", import.meta.url);
  for (const [{ name }] of SCRIPTS) {
    const lines = Deno.readTextFileSync(new URL(`${name}.ts`, folder))
      .split("\n").length - 1;
    assert.ok(lines < 40, `${name}.ts has ${lines} lines`);
  }
});
