import assert from "node:assert/strict";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import type { Severity } from "../finding.ts";
import type { CodeKind } from "../reading/code_map.ts";
import type { Check } from "./check.ts";
import { checked, type FixtureCode } from "./check_fixture.ts";
import { type Allowed, judge, type Reached } from "./judge.ts";

const { kernel } = new FixtureGuest(fixtureTypes({}));

/** The report about a pointer to code of this kind. */
function judged(
  kind: CodeKind,
  allowed: Allowed,
  more: Omit<FixtureCode, "whose"> & { severity?: Severity; by?: Reached } = {},
) {
  const { severity, by, ...code } = more;
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
        ...(by === undefined ? {} : { by }),
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
    ["bpf", { image: "critical", vouched: "critical", known: "critical" }],
    ["ftrace", { image: "critical", vouched: "critical", known: "critical" }],
    ["kprobe", { image: "critical", vouched: "critical", known: "critical" }],
    ["thunk", { image: "critical", vouched: "critical", known: "critical" }],
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
      "notifier leads to hook [helper], a module that the kernel does not vouch for (out of tree, unsigned)",
    found: "hook [helper]",
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
    { what: "notifier: hook", why: "a book is missing" },
  ]);
});

Deno.test("text may lead to code that the kernel generated, and a pointer may not", () => {
  for (const kind of ["bpf", "thunk"] as const) {
    for (const by of ["text", "processor"] as const) {
      assert.deepEqual(severity(kind, "vouched", { by }), []);
      assert.deepEqual(severity(kind, "known", { by }), []);
      assert.deepEqual(severity(kind, "image", { by }), ["critical"]);
    }
    const [{ summary }] = judged(kind, "known").findings;
    assert.match(summary, /to which no pointer of the kernel's leads$/);
  }
});

Deno.test("a processor may be in a trampoline or in a probe's copy", () => {
  for (const kind of ["ftrace", "kprobe"] as const) {
    assert.deepEqual(severity(kind, "known", { by: "processor" }), []);
    assert.deepEqual(severity(kind, "known", { by: "text" }), ["critical"]);
    assert.deepEqual(severity(kind, "image", { by: "processor" }), [
      "critical",
    ]);
  }
});

Deno.test("a pointer leads to the start of a function, not to padding or past its first instructions", () => {
  const inside = { offset: 0x33, trusted: true };
  for (const kind of ["kernel", "module"] as const) {
    const [{ severity: how, summary }] =
      judged(kind, "vouched", inside).findings;
    assert.equal(how, "critical");
    assert.match(summary, /hook\+0x33.*, where no function starts$/);
    assert.deepEqual(severity(kind, "known", inside), ["critical"]);
    for (const by of ["text", "processor"] as const) {
      assert.deepEqual(severity(kind, "vouched", { ...inside, by }), []);
    }
  }
  assert.deepEqual(severity("kernel", "image", inside), ["critical"]);
});
