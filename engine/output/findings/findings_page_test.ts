import assert from "node:assert/strict";
import { readPage } from "../formats/html_fixture.ts";
import { pageOf } from "../page/page_file.ts";
import { GUEST, HOOKED, IDLE, quiet, run, UNSEEN } from "./findings_fixture.ts";
import { checkRunJson } from "./findings_json.ts";
import { findingsPage } from "./findings_page.ts";

Deno.test("a page about checks has the verdict, findings and what is not judged", () => {
  const json = checkRunJson(GUEST, run(HOOKED, UNSEEN, IDLE, quiet("XF003")));
  const { data } = readPage(pageOf(findingsPage(json)));
  assert.equal(data.title, "Check of qemu:web1");
  assert.equal(data.verdict?.kind, "bad");
  assert.match(data.verdict?.text ?? "", /1 finding \(1 critical\)/);
  const [findings, unjudged, inFlux, checks] = data.tables ?? [];
  assert.deepEqual(findings.rows[0].slice(0, 4), [
    "critical",
    "XF001 (ATT&CK T1014)",
    "sys_call_table[257] leads to evil [rk], a module",
    "sys_call_table[257] at 0xffffffff82000b68",
  ]);
  assert.deepEqual(findings.bad, [0]);
  assert.deepEqual(unjudged.rows, [["XF002", "x64_sys_call", "not mapped"]]);
  assert.deepEqual(inFlux.rows, []);
  assert.deepEqual(checks.rows.map((row) => row[3]), [
    "1 finding",
    "not judged",
    "not run: no image",
    "clean",
  ]);
});

Deno.test("a page about checks is good only if everything was judged", () => {
  const kind = (...outcomes: Parameters<typeof run>) =>
    findingsPage(checkRunJson(GUEST, run(...outcomes))).verdict?.kind;
  assert.equal(kind(quiet("XF001")), "good");
  assert.equal(kind(UNSEEN, quiet("XF001")), "unknown");
  assert.equal(kind(IDLE), "unknown");
});
