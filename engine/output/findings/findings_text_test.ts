import assert from "node:assert/strict";
import {
  check,
  GUEST,
  HOOKED,
  IDLE,
  quiet,
  run,
  UNSEEN,
} from "./findings_fixture.ts";
import type { CheckOutcome } from "../../detect/core/check.ts";
import { checkRunJson } from "./findings_json.ts";
import { findingsText, summaryLine } from "./findings_text.ts";

Deno.test("text: the evidence, what was not judged, and a summary line", () => {
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

root verified by 2 CPUs (registers from QEMU's monitor)
qemu:web1 (6.1.0): 1 finding (1 critical), 1 thing could not be judged; 3 checks in 1.5 s, not run: XF020
`,
  );
});

Deno.test("text: when no check was run, nothing counts as clean", () => {
  assert.equal(
    findingsText(checkRunJson(GUEST, run(IDLE))),
    `XF020  check XF020       12,345 judged  not run: no image

root verified by 2 CPUs (registers from QEMU's monitor)
qemu:web1 (6.1.0): not judged; 0 checks in 1.5 s, not run: XF020
`,
  );
});

Deno.test("text: a root that is not verified, and one that has to be", () => {
  const why = "the monitor is busy";
  const root = { verified: false, cpus: 0, from: undefined, why };
  const clean = { ...run(quiet("XF003")), root };
  const end = (of: typeof clean) =>
    findingsText(checkRunJson(GUEST, of)).split("\n").slice(-3, -1);
  assert.deepEqual(end(clean), [
    "root not verified: the monitor is busy",
    "qemu:web1 (6.1.0): clean, root not verified; 1 check in 1.5 s",
  ]);
  assert.deepEqual(end({ ...clean, rootRequired: true }), [
    "root not verified: the monitor is busy",
    "qemu:web1 (6.1.0): not judged in full, root not verified; 1 check in 1.5 s",
  ]);
  const found = { ...run(HOOKED), root, rootRequired: true };
  assert.equal(checkRunJson(GUEST, found).verdict, "findings");
});

Deno.test("text: what several checks see of one place is told as one", () => {
  const found = (
    id: string,
    address: bigint,
    technique = "T1014",
    severity: "critical" | "high" = "critical",
  ) => ({
    ...quiet(id),
    check: { ...check(id), technique },
    findings: [{
      check: id,
      severity,
      summary: `${id} saw a call`,
      where: `f+0x${(address & 0xfffn).toString(16)}`,
      address,
    }],
  });
  const at = 0xffffffff81000200n;
  const lines = (...outcomes: CheckOutcome[]) => {
    const json = checkRunJson(GUEST, run(...outcomes));
    return [
      ...findingsText(json).split("\n").filter((line) =>
        / {2}XF\d+ saw|also/.test(line)
      ),
      summaryLine(json).replace(/;.*/, ""),
    ];
  };
  const text = "T1601.001";
  // The call, its key by the kernel's table, and the changed distance.
  assert.deepEqual(
    lines(
      found("XF008", at, "T1014", "high"),
      found("XF020", at + 1n, text),
      found("XF023", at, text),
    ),
    [
      "XF020 critical  XF020 saw a call",
      "       also      XF023 critical: XF023 saw a call",
      "       also      XF008 high: XF008 saw a call",
      "qemu:web1 (6.1.0): 3 findings in 1 place (2 critical, 1 high)",
    ],
  );
  // Places that are not one: farther than a branch, or no text.
  for (
    const two of [
      [found("XF008", at), found("XF020", at + 6n, text)],
      [found("XF020", at + 6n, text), found("XF008", at)],
      [found("XF001", at), found("XF010", at + 1n)],
    ]
  ) {
    assert.equal(
      lines(...two).at(-1),
      "qemu:web1 (6.1.0): 2 findings (2 critical)",
    );
  }
  const same = [found("XF001", at), found("XF010", at)];
  assert.equal(lines(...same).length, 3);
});

Deno.test("text: one check never has two findings of one place", () => {
  const one = HOOKED.findings[0];
  const twice = { ...HOOKED, findings: [one, { ...one, where: "elsewhere" }] };
  const json = checkRunJson(GUEST, run(twice));
  assert.match(summaryLine(json), /: 2 findings \(2 critical\);/);
});

Deno.test("text: what a verdict rests on is told without details", () => {
  const outcome = {
    ...quiet("XF024"),
    known: ["a hook that is allowed", "a file vouches for module rk"],
    noted: ["a file vouches for module rk"],
  };
  const json = checkRunJson(GUEST, run(outcome));
  const lines = (details: boolean) =>
    findingsText(json, undefined, details).split("\n").slice(1, -4);
  assert.deepEqual(lines(false), ["       a file vouches for module rk"]);
  assert.deepEqual(lines(true), [
    "       a hook that is allowed",
    "       a file vouches for module rk",
  ]);
});
