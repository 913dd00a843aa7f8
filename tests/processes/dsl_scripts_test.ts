/**
 * All trace scripts and lessons on the recordings, in a process that may only
 * read files. Two runs print the same, byte for byte.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LESSONS } from "../dsl/one_liners_fixture.ts";
import { SCRIPTS } from "../dsl/scripts_fixture.ts";

Deno.test("scripts and lessons need only --allow-read, and always print the same", async () => {
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
