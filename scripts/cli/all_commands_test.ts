import assert from "node:assert/strict";
import { Command } from "@commander-js/extra-typings";
import { addCommands, COMMANDS } from "./all_commands.ts";

async function added(name?: string): Promise<string[]> {
  const program = new Command("xftrace");
  await addCommands(program, name);
  return program.commands.map((command) => command.name());
}

Deno.test("each file registers the commands that are listed for it", async () => {
  for (const { names } of COMMANDS) {
    for (const name of names) {
      if (name === "completions") continue;
      assert.deepEqual(await added(name), names, name);
    }
  }
});

Deno.test("help, completions and mistyped names load all commands", async () => {
  const all = COMMANDS.flatMap(({ names }) => names);
  for (const name of [undefined, "--help", "help", "reprt", "completions"]) {
    assert.deepEqual(await added(name), all, name);
  }
  assert.deepEqual(await added("--version"), []);
});
