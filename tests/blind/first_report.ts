/**
 * Ends a check as soon as it is known that it does not call the guest clean: a
 * recording is read once, so nothing takes back what a check has reported.
 *
 * @module
 */
import type { Check } from "../../engine/detect/core/check.ts";
import { type Report, sameThing } from "../../engine/detect/finding.ts";

/** Thrown out of a check that has said enough. */
export class Enough extends Error {
  readonly said: "findings" | "unjudged";
  /** Identity of the finding, if it is one. */
  readonly finding: string | undefined;

  constructor(finding?: string) {
    super("it has said enough");
    this.said = finding === undefined ? "unjudged" : "findings";
    this.finding = finding;
  }
}

/**
 * A check that ends at the first thing it reports that is not "clean".
 *
 * @param wanted ends only at this finding; default: at any, and at what is
 * unjudged
 */
export function untilFirst(check: Check, wanted?: string): Check {
  return {
    ...check,
    run: (context, report) => {
      check.run(context, ending(check.id, report, wanted));
    },
  };
}

/**
 * A report that throws {@linkcode Enough} once something was reported.
 *
 * @param check its id
 * @param wanted like that of {@linkcode untilFirst}
 */
export function ending(check: string, to: Report, wanted?: string): Report {
  const unjudged = () => {
    if (wanted === undefined) throw new Enough();
  };
  return {
    finding: (finding) => {
      to.finding(finding);
      const thing = sameThing({ check, ...finding });
      if (wanted === undefined || thing === wanted) throw new Enough(thing);
    },
    unjudged: (...said) => {
      to.unjudged(...said);
      unjudged();
    },
    passing: (...said) => {
      to.passing(...said);
      unjudged();
    },
    gone: (finding) => {
      to.gone(finding);
      unjudged();
    },
    part: (what, body) => {
      let whole = false;
      to.part(what, () => {
        body();
        whole = true;
      });
      // Its failure was reported as unjudged.
      if (!whole) unjudged();
    },
    known: (text) => to.known(text),
    notRun: (why) => to.notRun(why),
    judged: (count) => to.judged(count),
  };
}
