import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { Severity } from "../finding.ts";
import type { CodeKind } from "../reading/code_map.ts";
import type { Check } from "./check.ts";
import { checked, type FixtureCode } from "./check_fixture.ts";
import { type Allowed, judge } from "./judge.ts";

const { kernel } = new FixtureGuest(fixtureTypes({}));

/** The report about a pointer to code of this kind. */
function judged(
  kind: CodeKind,
  allowed: Allowed,
  more: Omit<FixtureCode, "whose"> & { severity?: Severity } = {},
) {
  const { severity, ...code } = more;
  const check: Check = {
    id: "XF000",
    title: "one pointer",
    technique: "T1014",
    help: "",
    run(context, report) {
      const found = judge(context, report, {
        where: "notifier",
        address: 0x2000n,
        target: 0x1000n,
        allowed,
        ...(severity === undefined ? {} : { severity }),
      });
      assert.deepEqual([found.kind, found.address], [kind, 0x1000n]);
    },
  };
  return checked(check, kernel, { ...code, whose: () => kind });
}

const severity = (...args: Parameters<typeof judged>) =>
  judged(...args).findings.map((finding) => finding.severity);

Deno.test("the kinds of code allowed at each kind of place", () => {
  const rows: readonly [CodeKind, Record<Allowed, Severity | undefined>][] = [
    ["kernel", { image: undefined, vouched: undefined, known: undefined }],
    ["bpf", { image: "critical", vouched: undefined, known: undefined }],
    ["ftrace", { image: "critical", vouched: "critical", known: "critical" }],
    ["kprobe", { image: "critical", vouched: "critical", known: "critical" }],
    ["thunk", { image: "critical", vouched: undefined, known: undefined }],
    ["module", { image: "critical", vouched: "high", known: undefined }],
    [
      "hidden module",
      { image: "critical", vouched: "critical", known: "critical" },
    ],
    ["freed init", {
      image: "critical",
      vouched: "critical",
      known: "critical",
    }],
    ["foreign", { image: "critical", vouched: "critical", known: "critical" }],
  ];
  for (const [kind, wanted] of rows) {
    for (const allowed of ["image", "vouched", "known"] as const) {
      const expected = wanted[allowed] === undefined ? [] : [wanted[allowed]];
      assert.deepEqual(severity(kind, allowed), expected, `${kind} ${allowed}`);
      assert.equal(judged(kind, allowed).judged, 1);
    }
  }
});

Deno.test("a module can be trusted where modules are allowed, but not where only the image is", () => {
  assert.deepEqual(severity("module", "vouched", { trusted: true }), []);
  assert.deepEqual(severity("module", "image", { trusted: true }), [
    "critical",
  ]);
  assert.deepEqual(severity("hidden module", "vouched", { trusted: true }), [
    "critical",
  ]);
  assert.deepEqual(severity("module", "vouched", { severity: "low" }), ["low"]);
});

Deno.test("a finding names the target, its owner, and what to do", () => {
  const [finding] = judged("module", "vouched").findings;
  assert.deepEqual(finding, {
    check: "XF000",
    severity: "high",
    where: "notifier",
    address: 0x2000n,
    target: 0x1000n,
    summary:
      "notifier leads to hook+0x10 [helper], a module that the kernel does not vouch for (out of tree, unsigned)",
    found: "hook+0x10 [helper]",
    module: "helper",
    hint: "give its file",
  });
  assert.match(
    judged("foreign", "known").findings[0].summary,
    /code that belongs to nobody$/,
  );
  assert.match(
    judged("foreign", "known", { executable: false }).findings[0].summary,
    /which is no code of the kernel's$/,
  );
});

Deno.test("code whose owner is unknown is not judged", () => {
  const { findings, unjudged, judged: count } = judged("unread", "known");
  assert.deepEqual([findings, count], [[], 0]);
  assert.deepEqual(unjudged, [
    { what: "notifier: hook+0x10", why: "a book is missing" },
  ]);
});
