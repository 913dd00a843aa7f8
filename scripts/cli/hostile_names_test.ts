/**
 * Recordings in which names and texts of all kinds hold what controls a
 * terminal: no command prints it, and none prints a line more for it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import { COMMAND } from "./hostile_names_fixture.ts";

const FOLDER = new URL(".", import.meta.url);

/** A title, a colour, a line, a C1 sequence, DEL, a direction, a tag. */
const HOSTILE = Uint8Array.from([
  ..."\n\x1b[31m".split("").map((char) => char.charCodeAt(0)),
  ...[0x9b, 0x7f, 0xc2, 0x9b, 0xe2, 0x80, 0xae],
  ..."\r\x07<b>\x1b]0;x".split("").map((char) => char.charCodeAt(0)),
]);

/** What the recording has, and how much of it is replaced. */
const REPLACED: readonly string[] = [
  "ksoftirqd/0", // a thread's name
  "rcu_preempt",
  "virtio_pci_legacy_dev", // a module
  "vp_legacy_get_status", // a module's function
  "softirq_entry", // an event
  "[action=", // in its print_fmt
  "next_prio", // a field
  "pci_bus_flags_t", // a type
  "PIDTYPE_TGID", // an enumerator
  "debian-kernel@lists.debian.org", // in the banner
  "sleep-time", // an option of a tracer, without which the text is the same
];
const CONTROLS = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\n]]/v;

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** The recording with all texts replaced, by what is hostile or by letters. */
function recording(hostile: boolean): Uint8Array {
  const core = zstdDecompressSync(
    Deno.readFileSync(
      new URL("../../testdata/guest-6.1.core.zst", import.meta.url),
    ),
  );
  for (const text of REPLACED) {
    const into = hostile
      ? HOSTILE
      : bytesOf("plainplainplain").map((byte, i) => byte + i % 3);
    let found = 0;
    for (let at = core.indexOf(text); at >= 0; at = core.indexOf(text, at)) {
      for (let i = 0; i < text.length; i++) core[at++] = into[i % into.length];
      found++;
    }
    assert.ok(found > 0, `the recording has no ${text}`);
  }
  return core;
}

const EVAL: readonly string[] = [
  "trace('*').print()",
  "trace('*').count(comm)",
  "trace('*').count(comm, func)",
  "trace('*').hist(duration, comm)",
  "trace('*').stats(duration, comm)",
  "trace('*').top(9, duration)",
  "trace('*').json()",
  "trace('*').collect(9)",
  "trace(sys_openat).graph()",
  "trace(sys_openat).folded()",
  "event('irq:*').print()",
];

function commandsFor(core: string, folder: string): string[][] {
  const target = ["--no-cache", "-t", `core:${core}`];
  const baseline = `${folder}/learned.baseline`;
  return [
    ["info"],
    ["info", "--json"],
    ["events", "--all", "--format"],
    ["events", "--all", "--format", "--json"],
    ["functions"],
    ["functions", "--json", "*vp_*"],
    ["functions", "--prototype", "*legacy*"],
    ["functions", "--module", "none"],
    ["types", "--struct", "task_struct,pci_bus,pid"],
    ["report", "--format", "jsonl"],
    ["check"],
    ["check", "--json"],
    ["check", "--sarif"],
    ["doctor"],
    ["doctor", "--json"],
    ["status"],
    ["status", "--json"],
    ["baseline", "learn", "-o", baseline],
    ["diff", baseline],
    ...EVAL.map((text) => ["eval", text]),
    ["eval", "--json", "trace('*').count(comm, func)"],
    ["eval", "--dry-run", "trace('*').print()"],
    ["eval", "--dry-run", "--json", "trace('*').print()"],
    ["eval", "event('no_such_event').count()"],
    ["run", fileURLToPath(new URL("../syscall_counts.ts", FOLDER))],
  ].map((args) => [...args, ...target]).concat([
    ["baseline", "show", baseline],
    ["baseline", "show", baseline, "--json"],
  ]);
}

/** The lines that each command printed, by command, without the targets. */
async function printed(
  core: string,
  folder: string,
): Promise<Map<string, string[]>> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-check",
      fileURLToPath(new URL("hostile_names_fixture.ts", FOLDER)),
      ...commandsFor(core, folder).map((args) => JSON.stringify(args)),
    ],
    env: { XDG_STATE_HOME: folder, NO_COLOR: "1" },
  }).output();
  const found = new Map<string, string[]>();
  for (const [name, bytes] of Object.entries({ stdout, stderr })) {
    let lines: string[] = [];
    // A line end of the guest's is no end of a line of ours: split by bytes.
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (line.startsWith(COMMAND)) {
        lines = [];
        const command = line.slice(COMMAND.length).replaceAll(core, "CORE")
          .replaceAll(folder, "");
        found.set(`${name} of ${command}`, lines);
      } else lines.push(line);
    }
  }
  assert.ok(found.has("stdout of end"), new TextDecoder().decode(stderr));
  return found;
}

Deno.test("names that control a terminal: no command prints them, or a line more", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [hostile, plain] = await Promise.all([true, false].map((hostile) => {
      const own = `${folder}/${hostile ? "hostile" : "plain"}`;
      Deno.mkdirSync(own);
      Deno.writeFileSync(`${own}/guest.core`, recording(hostile));
      return printed(`${own}/guest.core`, own);
    }));
    assert.deepEqual([...hostile.keys()], [...plain.keys()]);
    let escaped = 0;
    for (const [command, lines] of hostile) {
      const bad = lines.find((line) => CONTROLS.test(line));
      assert.equal(bad, undefined, `${command}: ${JSON.stringify(bad)}`);
      // The banner is folded into as many lines as it needs.
      if (/^stdout of info -|check --(json|sarif)/.test(command)) continue;
      assert.equal(lines.length, plain.get(command)?.length, command);
      if (lines.some((line) => /\\(?:x|u00)(?:0a|1b)/.test(line))) escaped++;
    }
    assert.ok(escaped >= 15, `${escaped} outputs hold escaped text`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What `report` prints on a terminal of its own. */
async function onTerminal(core: string, ...options: string[]): Promise<string> {
  const command = [
    Deno.execPath(),
    "run --allow-all --no-check",
    fileURLToPath(new URL("../xftrace.ts", FOLDER)),
    `report --no-cache -t core:${core}`,
    ...options,
  ].join(" ");
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", command, "/dev/null"],
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r\n", "\n");
}

Deno.test("report on a terminal is escaped, unless --raw is given", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const core = `${folder}/guest.core`;
    await Deno.writeFile(core, recording(true));
    const other = `${folder}/plain.core`;
    await Deno.writeFile(other, recording(false));
    const shown = await onTerminal(core);
    assert.doesNotMatch(shown, CONTROLS);
    const lines = (await onTerminal(other)).split("\n").length;
    assert.equal(shown.split("\n").length, lines);
    const raw = await onTerminal(core, "--raw");
    assert.match(raw, CONTROLS);
    assert.ok(raw.split("\n").length > lines);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
