/**
 * Steps that test what the language knows about a running guest (names in
 * errors and in declarations), and results that are updated on a terminal.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { compile } from "../../../mod.ts";
import { openRunTarget } from "../../../engine/run/run.ts";
import type { Session } from "../../../engine/session.ts";
import type { Guest } from "../../../lab/mod.ts";
import { CompileError, oneLiner, oneLinerMessage } from "xftrace";
import { declarations } from "xftrace";

/** One-liners and their errors; `KERNEL` stands for the guest's release. */
const WRONG: readonly (readonly [text: string, said: string])[] = [
  [
    'trace("vfs_reed").count()',
    'the kernel KERNEL has no function "vfs_reed": did you mean "vfs_read"',
  ],
  [
    'trace(fn("vfs_zzz*")).count()',
    'no function of the kernel KERNEL matches "vfs_zzz*"',
  ],
  [
    'event("sched:sched_swich").count()',
    'the kernel KERNEL has no event "sched:sched_swich": did you mean "sched:sched_switch"',
  ],
  [
    'event("sched:sched_switch").filter(field("prev_pod").eq(3)).count()',
    'events of sched:sched_switch have no field "prev_pod": did you mean "prev_pid"?',
  ],
  [
    'event("sched:sched_switch").filter(field("prev_comm").gt(3)).count()',
    'the field "prev_comm" of sched:sched_switch is a text: it cannot be compared with the number 3',
  ],
  [
    'event("sched:sched_waking").count()',
    "event sched:sched_waking is not enabled in TARGET",
  ],
  [
    'trace(sys_openat).hist("duratoin")',
    'events of sys_openat have no field "duratoin": did you mean "duration"?',
  ],
  [
    'trace(sys_read).via("grpah").count()',
    'via("grpah") is no way to see calls: write "graph", "events" or "module"',
  ],
];

/** Each error names what the guest has, and puts a caret under the text. */
export function errorsOfGuest(session: Session): void {
  const { facts } = openRunTarget(session);
  for (const [text, said] of WRONG) {
    let message = "";
    try {
      compile(oneLiner(text).map((query) => query.spec), facts);
    } catch (error) {
      assert.ok(error instanceof CompileError, String(error));
      message = oneLinerMessage(error, text);
    }
    const [first, place, line, caret] = message.split("\n");
    const expected = said
      .replace("KERNEL", session.kernel.facts.release ?? "?")
      .replace("TARGET", session.target);
    assert.ok(first.startsWith(expected), `${text}: ${message}`);
    assert.match(place, /^ {4}at the one-liner:1:\d+$/);
    assert.equal(line.trim(), text);
    assert.equal(caret.trim(), "^");
  }
}

const EDITED = `/// <reference path="./kernel.d.ts" />
import { event, field, kernel, type Struct, trace } from "xftrace";
export const vendor = (device: Struct<"pci_dev">): number => device.vendor;
// @ts-expect-error: the guest's struct has no such member
export const d = (device: Struct<"pci_dev">) => device.vender;
const switches = event("sched:sched_switch");
export const good = [
  trace(kernel.vfs_read).until("1s").count(),
  switches.filter(field("prev_pid").gt(3)).count("next_comm"),
];
// @ts-expect-error: the guest has no such function
export const a = trace(kernel.vfs_reed).count();
// @ts-expect-error: a text cannot be compared with a number
export const b = switches.filter(field("prev_comm").gt(3)).count();
// @ts-expect-error: the event has no such field
export const c = switches.filter(field("prev_pod").gt(3)).count();
`;

/** Declarations name all that the guest has. */
export function declared(session: Session): string {
  const text = declarations(session.kernel, ["pci_dev"]);
  for (
    const line of [
      "    readonly vfs_read: TracedFunction;\n",
      '    "sched:sched_switch": { prev_comm: "text"; prev_pid: "number"; ',
    ]
  ) assert.ok(text.includes(line), line);
  const functions = text.match(/: TracedFunction;$/gm)?.length ?? 0;
  assert.ok(functions > 30_000, `${functions} functions`);
  return text;
}

/** With these declarations, a script is checked while it is written. */
export async function typesOfGuest(session: Session): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/kernel.d.ts`, declared(session));
    await Deno.writeTextFile(`${folder}/script.ts`, EDITED);
    const config = fileURLToPath(import.meta.resolve("../../../deno.json"));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", config, `${folder}/script.ts`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** On a terminal the result is updated in place; the last one stays. */
export async function renewedOnTerminal(guest: Guest): Promise<void> {
  const path = (name: string) => fileURLToPath(import.meta.resolve(name));
  const command = [
    Deno.execPath(),
    ...["run", "--quiet", "--allow-all", "--config"],
    path("../../../deno.json"),
    path("../../../scripts/xftrace.ts"),
    ...["eval", 'trace(sys_openat).until("3500ms").count(comm)'],
    ...["-t", guest.target],
  ].map((word) => `'${word}'`).join(" ");
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qec", `stty rows 30 cols 100; ${command}`, "/dev/null"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  const shown = new TextDecoder().decode(stdout);
  assert.equal(code, 0, shown);
  // Moves up as many lines as were shown, and clears the rest.
  const texts = shown.replaceAll("\x1b", "ESC").split(/ESC\[\d+AESC\[J/);
  assert.ok(texts.length >= 2, JSON.stringify(shown));
  // Nothing may have been recorded yet when the first one is shown.
  const counts = texts.map((text) =>
    Number(
      /^ls +(\d+)\r$/m.exec(text)?.[1] ?? (/^no events/m.test(text) ? 0 : NaN),
    )
  );
  assert.ok(
    counts.every((count, i) => i === 0 || count >= counts[i - 1]),
    JSON.stringify(shown),
  );
  assert.match(
    texts.at(-1) ?? "",
    / events, 0 lost(, \d+ calls had not returned)?\r\n/,
  );
}
