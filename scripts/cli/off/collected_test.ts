/** The text of a trace is found wherever the collector has written it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { serve } from "../../collector/protocol.ts";
import { type CollectorResult, StateFolder } from "../../collector/state.ts";
import { bringText, collectedText, finishCollector } from "./collected.ts";

const RESULT: CollectorResult = {
  reason: "the guest has ended",
  events: 1,
  kept: 1,
  lines: 1,
  lost: 0,
  dropped: 0,
  truncated: false,
  exact: false,
  resets: 0,
};

function places(): { base: string; folder: StateFolder } & Disposable {
  const base = Deno.makeTempDirSync({ prefix: "xftrace-collected-" });
  const folder = new StateFolder("vm-1-2", base);
  folder.create();
  return {
    base,
    folder,
    [Symbol.dispose]: () => Deno.removeSync(base, { recursive: true }),
  };
}

Deno.test("a collector that ended the trace just before it was asked", async () => {
  using at = places();
  const { folder } = at;
  const output = join(at.base, "graph.txt");
  Deno.writeTextFileSync(folder.text, "the text\n");
  const done = new AbortController();
  const served = serve(
    folder.socket,
    () => ({ result: { ...RESULT, output: folder.text } }),
    done.signal,
  );
  const result = await finishCollector(folder, { output });
  done.abort();
  await served;
  assert.ok(result !== undefined);
  assert.equal(bringText(collectedText(folder, result), output), true);
  assert.equal(Deno.readTextFileSync(output), "the text\n");
});

Deno.test("no collector, and texts that are where they are wanted, or gone", async () => {
  using at = places();
  const { folder } = at;
  const output = join(at.base, "graph.txt");
  assert.equal(await finishCollector(folder, { output }), undefined);
  // Of a version that did not say where.
  assert.equal(collectedText(folder, RESULT), folder.text);
  assert.equal(collectedText(folder, { ...RESULT, output }), output);
  assert.equal(bringText(folder.text, output), false);
  assert.equal(bringText(at.base, output), false);
  assert.throws(() => Deno.statSync(output), Deno.errors.NotFound);
  assert.equal(bringText(output, output), true);
});
