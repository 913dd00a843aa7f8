/**
 * No word of a guest's memory blinds a check: a short search. `deno task
 * fuzz:blind` searches for as long as one likes.
 */
import assert from "node:assert/strict";
import { openCore } from "../../engine/memory/dump/open_core.ts";
import { HOOKS } from "../blind/hooks.ts";
import { recordingOf } from "../blind/recording.ts";
import { summaryText, wordsText } from "../blind/report.ts";
import { Searcher } from "../blind/search.ts";
import { SearchedMemory } from "../blind/searched_memory.ts";

/** How long each hook is searched at most, in ms. */
const EACH = 2000;

/** Words that still blind a check: docs/checks.md lists them. */
const OPEN: readonly (readonly [string, RegExp])[] = [
  ["XF022", /PageSet\.copy/],
];

Deno.test("no word that a check reads blinds it", async (t) => {
  using core = openCore(await recordingOf("6.1"));
  const searcher = new Searcher(new SearchedMemory(core));
  for (const hook of HOOKS) {
    await t.step(`${hook.check}: ${hook.what}`, async () => {
      const start = performance.now();
      const found = await searcher.search(hook, {
        seed: 1,
        bulk: 0,
        changes: 6,
        until: start + EACH,
      });
      console.log(`  ${summaryText(found, performance.now() - start)}`);
      const open = OPEN.filter(([check]) => check === hook.check);
      const blinding = found.blinding.filter(({ word }) =>
        !open.some(([, name]) => name.test(word))
      );
      assert.equal(wordsText({ ...found, blinding }), "");
      assert.ok(found.mutations > 0);
    });
  }
});
