/**
 * Every trace script and every lesson over the recordings: twice the same,
 * byte for byte, with `--allow-read` alone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { compile, type Query } from "../../mod.ts";
import { evaluate } from "../../scripts/cli/eval.ts";
import { LESSONS } from "../dsl/one_liners.ts";
import { SCRIPTS } from "../dsl/scripts.ts";
import { openRecording, RECORDED, runOver } from "../dsl/support.ts";

/** What the recordings hold nothing of: no code there is foreign. */
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

Deno.test("scripts and lessons need --allow-read alone, and say the same twice", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--quiet",
      "--allow-read",
      fileURLToPath(import.meta.resolve("../dsl/replay_all.ts")),
    ],
  });
  const first = await command.output();
  const text = new TextDecoder().decode(first.stdout);
  assert.ok(first.success, new TextDecoder().decode(first.stderr));
  for (const [{ name }] of SCRIPTS) assert.ok(text.includes(`== ${name}\n`));
  for (const { title } of LESSONS) assert.ok(text.includes(`== ${title}\n`));
  const second = await command.output();
  assert.deepEqual(second.stdout, first.stdout);
});
