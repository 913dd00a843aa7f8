/** A check ends as soon as it has said that the guest is not clean. */
import assert from "node:assert/strict";
import { KernelError } from "../../engine/base/errors.ts";
import type { Report } from "../../engine/detect/finding.ts";
import { ending, Enough } from "./first_report.ts";

const FIRST = {
  severity: "critical",
  where: "here",
  address: 1n,
  summary: "",
} as const;

/** What a check reports until it is ended. */
function saidBy(
  run: (report: Report) => void,
  wanted?: string,
): { said: string[]; enough: string | undefined } {
  const said: string[] = [];
  const to: Report = {
    finding: ({ where }) => said.push(`finding ${where}`),
    unjudged: (what) => said.push(`unjudged ${what}`),
    passing: (what) => said.push(`passing ${what}`),
    gone: ({ where }) => said.push(`gone ${where}`),
    known: (text) => said.push(`known ${text}`),
    notRun: () => {},
    judged: () => {},
    part: (what, body) => {
      try {
        body();
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        said.push(`part ${what}`);
      }
    },
  };
  try {
    run(ending("XF099", to, wanted));
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
    return { said, enough: error.said };
  }
  return { said, enough: undefined };
}

Deno.test("it ends at what is not clean, and has reported that", () => {
  const reports: [(report: Report) => void, string, string][] = [
    [(to) => to.finding(FIRST), "finding here", "findings"],
    [(to) => to.gone(FIRST), "gone here", "unjudged"],
    [(to) => to.unjudged("it", ""), "unjudged it", "unjudged"],
    [(to) => to.passing("it", ""), "passing it", "unjudged"],
    [
      (to) =>
        to.part("it", () => {
          throw new KernelError("damaged");
        }),
      "part it",
      "unjudged",
    ],
  ];
  for (const [report, said, enough] of reports) {
    const found = saidBy((to) => {
      to.known("one");
      to.part("all", () => report(to));
      to.known("not reached");
    });
    assert.deepEqual(found, { said: ["known one", said], enough });
  }
});

Deno.test("it ends at one finding alone if that is wanted", () => {
  const run = (to: Report) => {
    to.unjudged("one", "");
    to.part("two", () => {
      throw new KernelError("damaged");
    });
    to.finding({ ...FIRST, where: "there" });
    to.finding(FIRST);
    to.known("not reached");
  };
  const { said, enough } = saidBy(run, "XF099|here|1||");
  assert.deepEqual(said, [
    "unjudged one",
    "part two",
    "finding there",
    "finding here",
  ]);
  assert.equal(enough, "findings");
});
