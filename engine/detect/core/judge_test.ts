import assert from "node:assert/strict";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { Finding, Report, Severity } from "../finding.ts";
import type { CodeAt, CodeKind } from "../reading/code_map.ts";
import { CheckContext } from "./context.ts";
import { type Allowed, judge } from "./judge.ts";

const MODULE: ModuleView = {
  name: "helper",
  gva: 0xffffffffc0100000n,
  state: 0,
  text: [],
  ranges: [],
  vouched: false,
  taints: ["out of tree", "unsigned"],
};

/** The report about a pointer to code of this kind. */
function judged(
  kind: CodeKind,
  allowed: Allowed,
  more: { trusted?: boolean; executable?: boolean; severity?: Severity } = {},
): { findings: Omit<Finding, "check">[]; unjudged: string[]; judged: number } {
  const ofModule = kind === "module" || kind === "hidden module";
  const code: CodeAt = {
    kind,
    address: 0x1000n,
    name: "hook+0x10 [helper]",
    symbol: "hook",
    offset: 16,
    module: ofModule ? MODULE : undefined,
  };
  const context: CheckContext = Object.create(CheckContext.prototype, {
    code: {
      value: {
        at: () => code,
        executable: () => more.executable ?? true,
        whyUnread: "a book is missing",
      },
    },
    trusts: { value: () => more.trusted ?? false },
    howToTrust: { value: () => "give its file" },
  });
  const findings: Omit<Finding, "check">[] = [];
  const unjudged: string[] = [];
  let count = 0;
  const report: Report = {
    finding: (finding) => findings.push(finding),
    unjudged: (what, why) => unjudged.push(`${what}: ${why}`),
    known: () => assert.fail("nothing is known here"),
    notRun: () => assert.fail("it was run"),
    judged: (n) => count += n,
    part: (_, body) => body(),
  };
  const found = judge(context, report, {
    where: "notifier",
    address: 0x2000n,
    target: 0x1000n,
    allowed,
    ...(more.severity === undefined ? {} : { severity: more.severity }),
  });
  assert.equal(found, code);
  return { findings, unjudged, judged: count };
}

const severity = (...args: Parameters<typeof judged>) =>
  judged(...args).findings.map((finding) => finding.severity);

Deno.test("the kinds of code allowed at each kind of place", () => {
  const rows: readonly [CodeKind, Record<Allowed, Severity | undefined>][] = [
    ["kernel", { image: undefined, vouched: undefined, known: undefined }],
    ["bpf", { image: "critical", vouched: undefined, known: undefined }],
    ["ftrace", { image: "critical", vouched: undefined, known: undefined }],
    ["kprobe", { image: "critical", vouched: undefined, known: undefined }],
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
  assert.deepEqual(judged("unread", "known"), {
    findings: [],
    unjudged: ["notifier: hook+0x10 [helper]: a book is missing"],
    judged: 0,
  });
});
