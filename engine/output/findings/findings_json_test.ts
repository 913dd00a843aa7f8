import assert from "node:assert/strict";
import { GUEST, HOOKED, IDLE, quiet, run, UNSEEN } from "./findings_fixture.ts";
import { checkRunJson, verdictOf } from "./findings_json.ts";

Deno.test("findings take precedence over unjudged, and unjudged over clean", () => {
  assert.equal(verdictOf(run(quiet("XF003"), IDLE)), "clean");
  assert.equal(verdictOf(run(quiet("XF003"), UNSEEN)), "unjudged");
  assert.equal(verdictOf(run(UNSEEN, HOOKED)), "findings");
});

Deno.test("what was not run is not clean: with no other check, all is unjudged", () => {
  assert.equal(verdictOf(run(IDLE)), "unjudged");
  assert.equal(verdictOf(run()), "unjudged");
  assert.equal(verdictOf(run(IDLE, HOOKED)), "findings");
});

Deno.test("JSON contains no bigint and everything that the text shows", () => {
  const value = checkRunJson(GUEST, run(HOOKED, UNSEEN));
  const back = JSON.parse(JSON.stringify(value));
  assert.deepEqual(back, value);
  assert.equal(back.verdict, "findings");
  assert.equal(back.findings[0].address, "0xffffffff82000b68");
  assert.equal(back.unjudged[0].check, "XF002");
});
