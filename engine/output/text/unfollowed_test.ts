import assert from "node:assert/strict";
import { DEFAULT_TEXT_OPTIONS } from "./options.ts";
import { optionsFromWords } from "./options_fixture.ts";
import { unfollowedSettings } from "./unfollowed.ts";

Deno.test("unsupported settings are named, and no others", () => {
  assert.deepEqual(unfollowedSettings("nop", DEFAULT_TEXT_OPTIONS), []);
  const followed = optionsFromWords(["raw", "hex", "bin", "fields"]);
  assert.deepEqual(unfollowedSettings("function", followed), []);
  const both = optionsFromWords(["sym-userobj", "display-graph"]);
  const [files, ...none] = unfollowedSettings("function", both);
  assert.match(files, /option sym-userobj is not followed/);
  assert.deepEqual(none, []);
  const [, graph] = unfollowedSettings("irqsoff", both);
  assert.match(graph, /option display-graph is not followed.*draws irqsoff/);
  assert.deepEqual(unfollowedSettings("wakeup_rt", DEFAULT_TEXT_OPTIONS), []);
  const [own] = unfollowedSettings("blk", DEFAULT_TEXT_OPTIONS);
  assert.match(own, /tracer blk has lines of its own/);
});
