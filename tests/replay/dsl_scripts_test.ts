/**
 * Every trace script and every lesson on the recordings. Two runs print the
 * same, byte for byte.
 *
 * @module
 */
import assert from "node:assert/strict";
import { compile, type Query } from "../../mod.ts";
import { oneLiner } from "xftrace";
import { LESSONS } from "../dsl/one_liners_fixture.ts";
import { SCRIPTS } from "../dsl/scripts_fixture.ts";
import { openRecording, RECORDED, runOver } from "../dsl/support_fixture.ts";

/** Scripts that find nothing: no code in the recordings is foreign. */
const EMPTY = new Set(["foreign_calls"]);

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
      const run = () => replay(kernel, () => oneLiner(code));
      const first = run();
      assert.deepEqual(run(), first);
      assert.ok(first.events > 0, "no events");
    });
  }
}

Deno.test("every script is short", () => {
  const folder = new URL("../../scripts/", import.meta.url);
  for (const [{ name }] of SCRIPTS) {
    const lines = Deno.readTextFileSync(new URL(`${name}.ts`, folder))
      .split("\n").length - 1;
    assert.ok(lines < 40, `${name}.ts has ${lines} lines`);
  }
});
