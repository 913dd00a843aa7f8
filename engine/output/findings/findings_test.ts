import assert from "node:assert/strict";
import type { CheckRun } from "../../detect/core/runner.ts";
import type { Check, CheckOutcome } from "../../detect/core/check.ts";
import { checkRunJson, verdictOf } from "./findings_json.ts";
import { findingsText } from "./findings_text.ts";
import { sarifLog } from "./sarif.ts";

const GUEST = { target: "qemu:web1", release: "6.1.0", buildId: "ab" };

const check = (id: string): Check => ({
  id,
  title: `check ${id}`,
  technique: "T1014",
  help: "finds things",
  run: () => {},
});

const quiet = (id: string): CheckOutcome => ({
  check: check(id),
  findings: [],
  unjudged: [],
  known: [],
  inFlux: [],
  notRun: undefined,
  judged: 12345,
  ms: 1,
});

const HOOKED: CheckOutcome = {
  ...quiet("XF001"),
  findings: [{
    check: "XF001",
    severity: "critical",
    summary: "sys_call_table[257] leads to evil [rk], a module",
    where: "sys_call_table[257]",
    address: 0xffffffff82000b68n,
    expected: "__x64_sys_openat",
    found: "evil [rk]",
    target: 0xffffffffc0001000n,
    module: "rk",
  }],
};
const UNSEEN: CheckOutcome = {
  ...quiet("XF002"),
  unjudged: [{ what: "x64_sys_call", why: "not mapped" }],
};
const IDLE: CheckOutcome = { ...quiet("XF020"), notRun: "no image" };

const run = (...outcomes: CheckOutcome[]): CheckRun => ({ outcomes, ms: 1500 });

Deno.test("findings outweigh what is unjudged, that outweighs clean", () => {
  assert.equal(verdictOf(run(quiet("XF003"), IDLE)), "clean");
  assert.equal(verdictOf(run(quiet("XF003"), UNSEEN)), "unjudged");
  assert.equal(verdictOf(run(UNSEEN, HOOKED)), "findings");
});

Deno.test("text: the evidence, what was not judged, and a last line", () => {
  const text = findingsText(
    checkRunJson(GUEST, run(HOOKED, UNSEEN, quiet("XF003"), IDLE)),
  );
  assert.equal(
    text,
    `XF001 critical  sys_call_table[257] leads to evil [rk], a module
       where     sys_call_table[257] at 0xffffffff82000b68
       expected  __x64_sys_openat
       found     evil [rk]
       leads to  0xffffffffc0001000
       module    rk
       check     check XF001 (ATT&CK T1014)

Could not be judged
  XF002  x64_sys_call: not mapped

XF001  check XF001       12,345 judged  1 finding
XF002  check XF002       12,345 judged  not judged
XF003  check XF003       12,345 judged  clean
XF020  check XF020       12,345 judged  not run: no image

qemu:web1 (6.1.0): 1 finding (1 critical), 1 thing could not be judged; 3 checks in 1.5 s
`,
  );
});

Deno.test("JSON holds no bigint and all that text shows", () => {
  const value = checkRunJson(GUEST, run(HOOKED, UNSEEN));
  const back = JSON.parse(JSON.stringify(value));
  assert.deepEqual(back, value);
  assert.equal(back.verdict, "findings");
  assert.equal(back.findings[0].address, "0xffffffff82000b68");
  assert.equal(back.unjudged[0].check, "XF002");
});

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
