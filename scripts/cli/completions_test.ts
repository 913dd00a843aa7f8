import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Command } from "@commander-js/extra-typings";
import { completionScript, SHELLS } from "./completion_scripts.ts";
import { registerCompletions } from "./completions.ts";

const COMMANDS = [{
  name: "report",
  description: "what the guest's buffers hold",
  options: [
    {
      short: "-t",
      long: "--target",
      takesValue: true,
      description: "qemu:NAME [or others]",
    },
    { long: "--abstime", takesValue: false, description: "absolute times" },
  ],
}];

for (const shell of SHELLS) {
  Deno.test(`${shell} takes its completions`, () => {
    const script = completionScript(shell, COMMANDS);
    assert.match(script, /report/);
    assert.match(script, /abstime/);
    const check = shell === "fish" ? "--no-execute" : "-n";
    const { status, stderr, error } = spawnSync(shell, [check], {
      input: script,
      encoding: "utf8",
    });
    // A shell that is not installed cannot be asked.
    if (error === undefined) assert.equal(status, 0, stderr);
  });
}

Deno.test("bash completes commands, options and values", () => {
  const script = completionScript("bash", COMMANDS);
  const complete = (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const { stdout } = spawnSync("bash", [
      "-c",
      `
      xftrace() { echo qemu:web1; echo qemu:db; }
      ${script}
      COMP_WORDS=(${line}) COMP_CWORD=${words.length - 1}
      _xftrace; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ], { encoding: "utf8" });
    return stdout.trim().split("\n");
  };
  assert.deepEqual(complete("xftrace", "re"), ["report"]);
  assert.deepEqual(complete("xftrace", "report", "--ab"), ["--abstime"]);
  assert.deepEqual(complete("xftrace", "report", "-t", "qemu:w"), [
    "qemu:web1",
  ]);
});

Deno.test("an unknown shell is refused", async () => {
  const program = new Command("xftrace").exitOverride();
  registerCompletions(program);
  await assert.rejects(
    program.parseAsync(["completions", "tcsh"], { from: "user" }),
    /there are no completions for tcsh; there are for bash, zsh, fish/,
  );
});
