import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { Command } from "@commander-js/extra-typings";
import { completionScript, SHELLS } from "../completion_scripts.ts";
import { addCommands } from "../all_commands.ts";
import { describe, registerCompletions } from "./completions.ts";

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
    { long: "--depth", takesValue: true, description: "levels" },
    {
      short: "-o",
      long: "--output",
      takesValue: true,
      takesFile: true,
      description: "where to",
    },
  ],
  words: [],
  takesTarget: true,
}, {
  name: "guest",
  description: "the module",
  options: [],
  words: ["build", "install"],
  takesTarget: false,
}];

for (const shell of SHELLS) {
  Deno.test(`${shell} accepts its completion script`, () => {
    const script = completionScript(shell, COMMANDS);
    assert.match(script, /report/);
    assert.match(script, /abstime/);
    const check = shell === "fish" ? "--no-execute" : "-n";
    const { status, stderr, error } = spawnSync(shell, [check], {
      input: script,
      encoding: "utf8",
    });
    // Nothing to test when the shell is not installed.
    if (error === undefined) assert.equal(status, 0, stderr);
  });
}

Deno.test("bash completes commands, options and values", () => {
  const script = completionScript("bash", COMMANDS);
  const complete = (line: string) => {
    const { stdout } = spawnSync("bash", [
      "-c",
      `
      xftrace() { echo qemu:web1; echo qemu:db; }
      compopt() { :; }
      ${script}
      COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDBREAKS='"=: '
      _xftrace; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ], { encoding: "utf8" });
    return stdout.trim().split("\n");
  };
  assert.deepEqual(complete("xftrace re"), ["report"]);
  assert.deepEqual(complete("xftrace report --ab"), ["--abstime"]);
  assert.deepEqual(complete("xftrace report qemu:w"), ["web1"]);
  assert.deepEqual(complete("xftrace report q"), ["qemu:web1", "qemu:db"]);
  // bash replaces what follows the last colon only.
  assert.deepEqual(complete("xftrace report -t qemu:w"), ["web1"]);
  assert.deepEqual(complete("xftrace report --target=qemu:d"), ["db"]);
  assert.deepEqual(complete("xftrace report -t q"), ["qemu:web1", "qemu:db"]);
  assert.deepEqual(
    complete("xftrace report -t core:/etc/host").sort(),
    [
      "/etc/host.conf",
      "/etc/hostname",
      "/etc/hosts",
    ].filter((path) => existsSync(path)),
  );
  assert.deepEqual(
    complete("xftrace report -o /etc/host").includes("/etc/host.conf"),
    existsSync("/etc/host.conf"),
  );
  assert.deepEqual(complete("xftrace report --depth /etc/host"), [""]);
  assert.deepEqual(complete("xftrace guest b"), ["build"]);
});

Deno.test("fish completes commands, options and targets", () => {
  const script = completionScript("fish", COMMANDS);
  const { stdout, error } = spawnSync("fish", [
    "--no-config",
    "-c",
    `function xftrace; echo qemu:web1; end
${script}
complete -C 'xftrace re'
complete -C 'xftrace report --ab'
complete -C 'xftrace report -t q'
complete -C 'xftrace report -t core:/etc/hostn'
complete -C 'xftrace guest in'`,
  ], { encoding: "utf8" });
  // Nothing to test when the shell is not installed.
  if (error !== undefined) return;
  assert.deepEqual(
    stdout.trim().split("\n").map((line) => line.split("\t")[0]),
    [
      "report",
      "--abstime",
      "qemu:web1",
      ...(existsSync("/etc/hostname") ? ["core:/etc/hostname"] : []),
      "install",
    ],
  );
});

Deno.test("options say by their value's name that it is a file", async () => {
  const program = new Command("xftrace").exitOverride();
  await addCommands(program, "check");
  registerCompletions(program);
  const options = describe(program)
    .find(({ name }) => name === "check")?.options ?? [];
  const files = options.filter(({ takesFile }) => takesFile)
    .map(({ long }) => long);
  for (const long of ["--vmlinuz", "--modules", "--tracefs", "--system-map"]) {
    assert.ok(files.includes(long), long);
  }
  for (const long of ["--only", "--target", "--watch"]) {
    assert.ok(!files.includes(long), long);
  }
});

Deno.test("an unknown shell is refused", async () => {
  const program = new Command("xftrace").exitOverride();
  registerCompletions(program);
  await assert.rejects(
    program.parseAsync(["completions", "tcsh"], { from: "user" }),
    /there are no completions for tcsh; there are for bash, zsh, fish/,
  );
});
