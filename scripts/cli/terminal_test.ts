import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const FIXTURE = fileURLToPath(import.meta.resolve("./terminal_fixture.ts"));
const RUN = ["run", "--allow-all", "--no-check", FIXTURE];
/** The hostile text, escaped. */
const SAFE = "\\x0a\\x0d\\x1b[31m\\x9b2J\\x7f\\u{202e}\\u{d800} \\x9b";
/** The same, where a line end was forgotten. */
const FORGOTTEN = SAFE.replace("\\x0a", "\n");
const JSON_TEXT = "\\n\\r\\u001b[31m\\u009b2J\\u007f\\u202e\\ud800 \\udc9b";

const LINES: readonly string[] = [
  `line ${SAFE}`,
  `bold ${SAFE} ${SAFE}`,
  `forgotten ${FORGOTTEN}`,
  "{",
  `  "key ${JSON_TEXT}": "${JSON_TEXT}"`,
  "}",
];

Deno.test("what is printed is escaped, in pipes too; a trace keeps its bytes", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: RUN,
  }).output();
  const trace = "trace \x1b[31m";
  const text = new TextDecoder().decode(stdout);
  assert.equal(text, `${LINES.join("\n")}\n${trace}\ufffd\n`);
  assert.deepEqual([...stdout.slice(-2)], [0x9b, 0x0a]);
  assert.equal(
    new TextDecoder().decode(stderr),
    `note ${SAFE}\nxftrace: warning ${SAFE}\nxftrace: error ${SAFE}\n` +
      "xftrace: two\nlines\\x1b[31m\n",
  );
});

async function onTerminal(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", [Deno.execPath(), ...RUN, ...args].join(" "), "/dev/null"],
    env: { NO_COLOR: "" },
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r\n", "\n");
}

Deno.test("on a terminal, the only control characters are our own", async () => {
  const text = await onTerminal();
  const bold = `\x1b[1mbold ${SAFE}\x1b[22m \x1b[2m${SAFE}\x1b[22m`;
  assert.ok(text.includes(`\n${bold}\n`), text);
  assert.ok(text.includes(`\nforgotten ${FORGOTTEN}\n`));
  assert.ok(text.includes("\ntrace \\x1b[31m\\x9b\n\x1b[1A\x1b[J"));
  // Two styles of two codes each, and two to erase a line.
  assert.equal(text.split("\x1b").length - 1, 6);
});

Deno.test("with --raw, a trace has its control characters on a terminal too", async () => {
  const text = await onTerminal("--raw");
  assert.ok(text.includes("\ntrace \x1b[31m\ufffd\n"), text);
});
