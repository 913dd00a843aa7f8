import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { checked, HELPER } from "../core/check_fixture.ts";
import { unownedCode } from "./xf016_unowned_code.ts";

const TYPES = fixtureTypes({}, [
  ["MODULE_STATE_LIVE", 0],
  ["MODULE_STATE_COMING", 1],
]);
const TEXT = 0xffffffffc0100000n;
const DATA = TEXT + 0x2000n;
const MODULE: ModuleView = {
  ...HELPER,
  text: [{ start: TEXT, end: TEXT + 0x1f80n }],
  ranges: [{ start: TEXT, end: DATA + 0x2000n }],
};

/** What is said when the pages from TEXT up to a GVA can be executed. */
function upTo(end: bigint, module = MODULE) {
  const { kernel } = new FixtureGuest(TYPES);
  return checked(unownedCode, kernel, {
    whose: (gva) => gva < MODULE.text[0].end ? "module" : "foreign",
    modules: [module],
    pages: [{ start: TEXT, end, writable: false }],
  });
}

Deno.test("a module owns the pages of its text", () => {
  const { findings, unjudged } = upTo(DATA);
  assert.deepEqual([findings, unjudged], [[], []]);
});

Deno.test("a module's data that can be executed is nobody's code", () => {
  const { findings } = upTo(DATA + 0x1000n);
  assert.deepEqual(findings.map(({ address }) => address), [DATA]);
  assert.match(
    findings[0].summary,
    /^4096 bytes .* belong to module helper, which has no text there$/,
  );
});

Deno.test("a module that is live has no init code to own", () => {
  const live = { ...MODULE, hasInit: true };
  const { unjudged } = upTo(DATA, live);
  assert.deepEqual(unjudged.map(({ what }) => what), ["module helper"]);
  const coming = upTo(DATA, { ...live, state: 1 }).unjudged;
  assert.deepEqual(coming.map(({ why }) => why), [
    "the module is being loaded or unloaded",
  ]);
});

Deno.test("a page of thunks does not speak for the code behind it", () => {
  const { kernel } = new FixtureGuest(TYPES);
  const page = (i: bigint) => TEXT + i * 0x1000n;
  const { findings } = checked(unownedCode, kernel, {
    whose: (gva) => gva < page(1n) || gva >= page(3n) ? "thunk" : "foreign",
    pages: [{ start: TEXT, end: page(4n), writable: false }],
  });
  assert.deepEqual(findings.map(({ address }) => address), [page(1n)]);
  assert.match(findings[0].summary, /^8192 bytes .* belong to nobody$/);
});
