/**
 * What the verification of a trace with many keys needs: its memory may grow
 * with the entries that are shown, and hardly with the number of keys. The long
 * suite has as many keys as an hour with a key every 10 ms.
 */
import assert from "node:assert/strict";
import { times } from "../../engine/base/long_fixture.ts";
import { recordManyKeys } from "../../engine/seal/recording/many_keys_fixture.ts";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";

const SCRIPT = new URL("../../scripts/xftrace.ts", import.meta.url).pathname;
const KEYS = times(4000, 360_000);
/**
 * The most memory, MiB: of it, 100 are Deno's, and 50 V8's new objects. V8
 * collects garbage the later the more it may have: without a limit it takes 370
 * to 405 for the same.
 */
const MOST = 320;
/** The most that V8 may keep of older objects, MiB; there are 35. */
const HEAP = 64;
/** The graph keeps 44 bytes of each of the 2,880,000 entries. */
const MOST_GRAPH = MOST + 125;

/** Runs a command, and notes its most memory until then every 20 ms. */
const WATCHED = `"$@" &
while grep VmHWM: "/proc/$!/status" >&2 2> /dev/null; do sleep 0.02; done
wait "$!"`;

/** The most memory that a command used, MiB. */
async function peakOf(args: readonly string[]): Promise<number> {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: [
      "-c",
      WATCHED,
      "sh",
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      "--no-check",
      `--v8-flags=--max-old-space-size=${HEAP}`,
      SCRIPT,
      ...args,
    ],
  }).output();
  const [text, said] = [stdout, stderr].map((of) =>
    new TextDecoder().decode(of)
  );
  assert.equal(code, 0, text + said);
  assert.match(text, new RegExp(`^all +${8 * KEYS}( +0){7}$`, "m"));
  const kib = [...said.matchAll(/^VmHWM:\s+(\d+) kB$/gm)].map(([, n]) =>
    Number(n)
  );
  return Math.max(0, ...kib) / 1024;
}

Deno.test(`a recording of ${KEYS} keys is verified in little memory`, async () => {
  using folder = new TemporaryFolder();
  const { path, entries } = recordManyKeys(folder.path, KEYS);
  assert.equal(entries, 8 * KEYS);
  const peak = await peakOf(["verify", path]);
  const graph = `${folder.path}/graph`;
  const withGraph = await peakOf(["verify", path, "--graph", graph]);
  console.log(
    `${KEYS} keys, ${entries} entries: ${peak.toFixed(0)} MiB, ${
      withGraph.toFixed(0)
    } MiB with the graph of ${Deno.statSync(graph).size} bytes`,
  );
  assert.ok(peak > 0 && peak < MOST, `${peak} MiB`);
  assert.ok(withGraph < MOST_GRAPH, `${withGraph} MiB`);
});
