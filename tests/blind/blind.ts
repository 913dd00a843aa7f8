/**
 * Searches for words of a guest's memory by which an intruder could blind a
 * check: `deno task fuzz:blind`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { openCore } from "../../engine/memory/dump/open_core.ts";
import { type Hook, HOOKS } from "./hooks.ts";
import { recordingOf } from "./recording.ts";
import { Searcher } from "./search.ts";
import type { Limits } from "./searched.ts";
import { SearchedMemory } from "./searched_memory.ts";
import { NotHere } from "./workshop.ts";
import { summaryText, wordsText } from "./report.ts";

const USAGE = `usage: deno task fuzz:blind [options]

Hooks a recorded guest in memory, once for each check, then changes each word
that the check reads. A run that calls the hooked guest clean is a failure.

  --check XF0NN,...  only these checks
  --minutes N        stop after so long (default: when all words were tried)
  --seed S           another order and other changes (default: 1)
  --bulk N           words of text and tables to try, for each check
                     (default: 5000)
  --changes N        changes of each word (default: 10)
  --alone N          words to try of those that a check reads one by one
                     (default: all)
  --names            hide each name that a check asks for instead: symbols,
                     structs, members, enumerators
  --locate           search what is read while the kernel is located
  --core FILE        a full recording (default: one is made of a lab's guest)
  --kernel SERIES    of which kernel one is made (default: 6.1)`;

const { values } = parseArgs({
  options: {
    check: { type: "string" },
    minutes: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    bulk: { type: "string", default: "5000" },
    changes: { type: "string", default: "10" },
    alone: { type: "string", default: "1000000000" },
    names: { type: "boolean", default: false },
    locate: { type: "boolean", default: false },
    core: { type: "string" },
    kernel: { type: "string", default: "6.1" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const wanted = values.check?.toUpperCase().split(",");
const hooks = HOOKS.filter(({ check }) => wanted?.includes(check) ?? true);
if (hooks.length === 0) {
  console.error(`no such check: ${values.check}\n\n${USAGE}`);
  Deno.exit(64);
}
const [minutes, seed, bulk, changes, alone] = [
  values.minutes,
  values.seed,
  values.bulk,
  values.changes,
  values.alone,
].map(Number);
if (![minutes, seed, bulk, changes, alone].every((n) => n >= 0)) {
  console.error(USAGE);
  Deno.exit(64);
}
const path = values.core ?? await recordingOf(values.kernel);
using core = openCore(path);
const searcher = new Searcher(new SearchedMemory(core));
console.log(`${searcher.release}, seed ${seed}`);
let left = 0;
const start = performance.now();
for (const [index, hook] of hooks.entries()) {
  // What one check does not use of its time, those after it have.
  const now = performance.now();
  const end = start + minutes * 60_000;
  const until = now + (end - now) / (hooks.length - index);
  try {
    left += await search(hook, { seed, bulk, until, changes, alone });
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    console.log(`${hook.check}  left out: ${error.message} (${hook.what})`);
  }
}
Deno.exit(left === 0 ? 0 : 1);

/** Searches with one hook; returns how much it found. */
async function search(hook: Hook, limits: Limits): Promise<number> {
  if (values.names) {
    const { asked, blinding } = await searcher.searchNames(hook);
    console.log(`${hook.check}  ${asked} names: ${blinding.length} blinding`);
    for (const name of blinding) console.log(`    ${name}`);
    return blinding.length;
  }
  const from = performance.now();
  const found = values.locate
    ? await searcher.searchLocating(hook, limits)
    : await searcher.search(hook, limits);
  console.log(summaryText(found, performance.now() - from));
  const said = wordsText(found);
  if (said !== "") console.log(said);
  return found.blinding.length + found.faults.length;
}
