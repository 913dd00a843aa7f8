import assert from "node:assert/strict";
import { GUEST, HOOKED, IDLE, quiet, run, UNSEEN } from "./findings_fixture.ts";
import { checkRunJson, verdictOf } from "./findings_json.ts";
import { findingsText } from "./findings_text.ts";
import { sarifLog } from "./sarif.ts";

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

Deno.test("a hidden process whose name controls a terminal is one line of text", () => {
  const name = "\x1b[2K\r\x1b[1A\n\x1b[8m\x9b\u202e";
  const evil = {
    ...HOOKED,
    findings: HOOKED.findings.map((finding) => ({
      ...finding,
      summary: `process 7 (${name}) is hidden`,
      where: name,
      expected: name,
      found: name,
      module: name,
      hint: name,
    })),
    unjudged: [{ what: name, why: name }],
    inFlux: HOOKED.findings.map((finding) => ({ ...finding, summary: name })),
    known: [name],
    notRun: name,
  };
  const guest = { ...GUEST, target: name, release: name };
  const json = checkRunJson(guest, run(evil));
  const all = JSON.stringify(json) + findingsText(json, undefined, true) +
    JSON.stringify(sarifLog(json, [HOOKED.check], "1"));
  assert.doesNotMatch(all, /[[\p{Cc}\p{Cf}]--[\n]]/v);
  assert.ok(all.includes("process 7 (\\x1b[2K\\x0d\\x1b[1A\\x0a"));
  const plain = JSON.parse(JSON.stringify(json).replace(/\\\\[^"]*/g, "x"));
  assert.equal(
    findingsText(json, undefined, true).split("\n").length,
    findingsText(plain, undefined, true).split("\n").length,
  );
});
