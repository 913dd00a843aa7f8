import assert from "node:assert/strict";
import { GUEST, HOOKED, IDLE, run, UNSEEN } from "./findings_fixture.ts";
import { checkRunJson } from "./findings_json.ts";
import { sarifLog } from "./sarif.ts";

Deno.test("SARIF: rules, results by rule, and what was not judged", () => {
  const outcomes = run(HOOKED, UNSEEN);
  const log = JSON.parse(JSON.stringify(sarifLog(
    checkRunJson(GUEST, outcomes),
    outcomes.outcomes.map((outcome) => outcome.check),
    "0.1.0",
  )));
  const [one] = log.runs;
  assert.equal(log.version, "2.1.0");
  assert.equal(one.tool.driver.rules.length, 2);
  const [result] = one.results;
  assert.equal(one.tool.driver.rules[result.ruleIndex].id, result.ruleId);
  assert.equal(result.level, "error");
  assert.equal(result.properties.module, "rk");
  assert.deepEqual(result.partialFingerprints, {
    "place/v1": "XF001:sys_call_table[257]",
  });
  assert.equal(one.invocations[0].executionSuccessful, false);
  const [notice] = one.invocations[0].toolExecutionNotifications;
  assert.deepEqual(notice.associatedRule, { id: "XF002", index: 1 });
});

Deno.test("SARIF: when no check was run, the run was no success", () => {
  const log = JSON.parse(JSON.stringify(
    sarifLog(checkRunJson(GUEST, run(IDLE)), [IDLE.check], "0.1.0"),
  ));
  assert.equal(log.runs[0].invocations[0].executionSuccessful, false);
});

Deno.test("SARIF: a name makes neither a link nor a placeholder", () => {
  const link = "[see](https://evil.example) {0}";
  const evil = {
    ...HOOKED,
    findings: HOOKED.findings.map((one) => ({ ...one, summary: link })),
    unjudged: [{ what: link, why: "no" }],
  };
  const log = sarifLog(checkRunJson(GUEST, run(evil)), [HOOKED.check], "1");
  const text = JSON.stringify(log);
  assert.ok(text.includes("[see] (https://evil.example) {{0}}"));
  assert.ok(!text.includes("]("));
});
