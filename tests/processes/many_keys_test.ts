/**
 * What the verification of a trace with many keys needs: its memory may grow
 * with the entries that are shown, and hardly with the number of keys. The long
 * suite has as many keys as an hour with a key every 10 ms.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { times } from "../../engine/base/long_fixture.ts";
import { recordManyKeys } from "../../engine/seal/recording/many_keys_fixture.ts";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";

const SCRIPT = new URL("../../scripts/xftrace.ts", import.meta.url).pathname;
const KEYS = times(4000, 360_000);
/** The most memory, MiB: of it, 100 are Deno's, and 50 V8's new objects. */
const MOST = 400;
/** The graph keeps 44 bytes of each of the 2,880,000 entries. */
const MOST_GRAPH = MOST + 125;

/** The most memory that a command used, MiB. */
async function peakOf(args: readonly string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-check", SCRIPT, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? peak);
    } catch {
      // It has just ended.
    }
  }, 20);
  const { code, stdout, stderr } = await child.output();
  clearInterval(timer);
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));
  assert.match(text, new RegExp(`^all +${8 * KEYS}( +0){7}$`, "m"));
  return peak / 1024;
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
