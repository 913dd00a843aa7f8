import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
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

/** Whether a shell could be started; one that is missing fails in CI. */
function isInstalled(shell: string, error: Error | undefined): boolean {
  if (error === undefined) return true;
  assert.equal(Deno.env.get("CI"), undefined, `${shell} is not installed`);
  console.warn(`NOT TESTED: ${shell} is not installed`);
  return false;
}

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
    if (isInstalled(shell, error)) assert.equal(status, 0, stderr);
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

/** Names that a local user can give to a process, or to a file. */
const HOSTILE = [
  "a$(touch PWNED)",
  "a`touch PWNED`",
  "a;touch PWNED",
  "a b",
  "a*",
  "a'b",
  'a"b',
  "a\\",
  "a{b,c}",
  "-a",
  "a\tb",
];

/** A folder with a file of each hostile name. */
class HostileFolder implements Disposable {
  readonly path = Deno.makeTempDirSync();
  constructor() {
    for (const name of HOSTILE) writeFileSync(`${this.path}/${name}`, "");
  }
  /** Whether a name was executed. */
  get hit(): boolean {
    return existsSync(`${this.path}/PWNED`);
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** What `xftrace completions targets` would print if it did not filter. */
const FOREIGN_TARGETS = [...HOSTILE, "web1"].filter((name) => name !== "-a")
  .map((name) => `qemu:${name}\n`).join("");

/** Runs code in a shell, where `xftrace` prints the foreign targets. */
function runForeign(shell: string, options: string[], code: string) {
  using folder = new HostileFolder();
  // What does not call it leaves the input unread: a broken pipe, if it is quick.
  const read = `${code}\ncat >/dev/null`;
  const done = spawnSync(shell, [...options, "-c", read], {
    encoding: "utf8",
    cwd: folder.path,
    input: FOREIGN_TARGETS,
  });
  assert.ok(!folder.hit);
  return done;
}

Deno.test("bash executes and expands no name of a VM or a file", () => {
  const complete = (line: string) => {
    const { stdout, stderr } = runForeign(
      "bash",
      [],
      `
      xftrace() { cat; }
      compopt() { options+=" $*"; }
      ${completionScript("bash", COMMANDS)}
      COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDBREAKS='"= '
      _xftrace; printf '%s\\n' "\${COMPREPLY[@]}"; echo "$options"`,
    );
    assert.equal(stderr, "");
    return stdout.split("\n").slice(0, -1);
  };
  const names = HOSTILE.toSorted();
  for (
    const line of [
      "xftrace report -t q",
      "xftrace report --target=q",
      "xftrace report q",
    ]
  ) {
    assert.deepEqual(complete(line), ["qemu:web1", ""]);
  }
  // Files are given as they are, and readline is told to quote them.
  for (const [typed, prefix] of [["-o ./", "./"], ["core:./", "core:./"]]) {
    const [options, ...files] = complete(`xftrace report ${typed}`).reverse();
    assert.match(options, /-o filenames/);
    assert.deepEqual(files.sort(), names.map((name) => `${prefix}${name}`));
  }
});

Deno.test("zsh and fish execute and offer no hostile name either", () => {
  const zsh = runForeign(
    "zsh",
    ["-f"],
    `
    xftrace() { cat; }
    compset() { return 1; }; compdef() { :; }
    compadd() { print -rl -- "\${targets[@]}"; }
    ${completionScript("zsh", COMMANDS)}
    _xftrace_targets`,
  );
  if (isInstalled("zsh", zsh.error)) {
    assert.equal(zsh.stdout, "qemu:web1\nfile:\ncore:\n", zsh.stderr);
  }
  const fish = runForeign(
    "fish",
    ["--no-config"],
    `function xftrace; cat; end
${completionScript("fish", COMMANDS)}
complete -C 'xftrace report -t q'`,
  );
  if (isInstalled("fish", fish.error)) {
    assert.equal(fish.stdout, "qemu:web1\tguest\n", fish.stderr);
  }
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
  if (!isInstalled("fish", error)) return;
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
