/** What is shown while a trace is written. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const FIXTURE = fileURLToPath(import.meta.resolve("./writing_fixture.ts"));
const RUN = ["run", "--allow-all", "--no-check", FIXTURE];

async function onTerminal(ms: number): Promise<string> {
  const { stdout } = await new Deno.Command("script", {
    args: [
      "-qec",
      [Deno.execPath(), ...RUN, String(ms)].join(" "),
      "/dev/null",
    ],
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("on a terminal, what takes over a second is shown as it goes on, in one line that is cleared", async () => {
  const text = await onTerminal(1500);
  const shown = text.split("\r\x1b[K");
  const steps = shown.flatMap((line) =>
    /^([\d,]+) events, [\d.]+ \w+ written$/.exec(line)?.[1] ?? []
  ).map((number) => Number(number.replaceAll(",", "")));
  assert.ok(steps.length >= 2, text);
  assert.deepEqual(steps, steps.toSorted((a, b) => a - b));
  assert.ok(steps.length <= 7, "ten times a second at most");
  assert.ok(shown.some((line) => /^[\d,]+ things$/.test(line)), text);
  assert.equal(shown.at(-1)?.includes("events"), false);
  assert.ok(text.includes("\x1b[K2 things were left out\r\n"), text);
});

Deno.test("what is over within a second shows nothing", async () => {
  assert.equal(await onTerminal(100), "2 things were left out\r\n");
});

Deno.test("where there is no terminal, nothing is shown but what was left out", async () => {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...RUN, "1500"],
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "");
  assert.equal(new TextDecoder().decode(stderr), "2 things were left out\n");
});
