/**
 * What several readings of one check add up to: which findings are confirmed,
 * which have passed, and whether it has to be read again.
 *
 * @module
 */
import type { Spent } from "../../base/budget.ts";
import { type Finding, samePlace, sameThing } from "../finding.ts";
import type { Check, CheckOutcome } from "./check.ts";

/**
 * Pauses in ms before the readings that must confirm a finding: longer than
 * patching text or unloading a module takes.
 */
const CONFIRM_AFTER = [60, 240, 700];

/**
 * Maximum number of readings: a slow or busy guest may hold its locks for
 * seconds (switching on a tracer patches all text under one).
 */
const MOST_READINGS = 24;

/**
 * Maximum number of readings with a failed walk: damaged structures stay
 * damaged. Readings repeated for another reason, such as a held lock, do not
 * count.
 */
const MOST_WALKS = 8;

/**
 * Maximum number of readings in which something was unloaded while it was read:
 * a guest that loads and unloads modules all the time does so in many.
 */
const MOST_GONE = 16;

/**
 * Maximum number of readings that could not judge something that the one before
 * could.
 */
const MOST_ANEW = 8;

/**
 * In how many readings something critical may be seen, each time something
 * else, before it is no longer explained by a kernel that changes.
 */
const MOST_SIGHTINGS = 2;

/** One reading by one check. */
export interface CheckReading {
  readonly findings: readonly Finding[];
  readonly unjudged: readonly { what: string; why: string }[];
  readonly known: readonly string[];
  /** Those of `known` that people are always told; default: none. */
  readonly noted?: readonly string[];
  readonly notRun: string | undefined;
  readonly judged: number;
  /** Duration in ms. */
  readonly ms: number;
  /** Whether the kernel held a lock of what is read, before or after it. */
  readonly busy: boolean;
  /** Whether a walk failed, or hit memory that was gone. */
  readonly lost: boolean;
  /** Whether something could not be judged for a reason that may pass. */
  readonly passing: boolean;
  /** What was unloaded before it could be judged. */
  readonly gone: readonly Finding[];
  /**
   * Those of the findings whose place or target had another owner, or none any
   * more, right afterwards: a module was loaded or unloaded.
   */
  readonly moving: ReadonlySet<Finding>;
  /** What it spent of its budget. */
  readonly spent?: Spent;
}

/**
 * The pause in ms before the next reading, after so many. It is never the same,
 * so that nobody in the guest can keep step with it.
 */
export function pauseBefore(readings: number): number {
  const pause = CONFIRM_AFTER[Math.min(readings, CONFIRM_AFTER.length) - 1];
  return pause * (1 + Math.random() / 2);
}

/** Whether another reading could change the outcome. */
export function unsettled(
  check: Check,
  readings: readonly CheckReading[],
): boolean {
  const last = readings[readings.length - 1];
  const lasting = ({ brief = false }: Finding) => !brief;
  const seen = readings.some((reading) =>
    reading.findings.some((finding) =>
      lasting(finding) && !mayPass(reading, finding)
    )
  );
  const shows = last.findings.some(lasting);
  // What was brief may be so each time: only further readings tell.
  const brief = readings.some(({ findings }) => !findings.every(lasting));
  if (brief && readings.length <= CONFIRM_AFTER.length) return true;
  if (!seen && !shows && isWhole(last)) return false;
  if (!shows && last.spent?.ended !== undefined) {
    return false;
  }
  if (readings.length >= MOST_READINGS) return false;
  // What is seen is looked for in as many further readings, even when the next
  // one does not show it: it may come and go.
  if (readings.length - lastNews(readings) <= CONFIRM_AFTER.length) return true;
  // What has no end has none when it is read again.
  if (last.spent?.ended !== undefined) return false;
  if (last.lost) {
    return readings.filter(({ lost }) => lost).length < MOST_WALKS;
  }
  if (last.passing) return true;
  if (last.gone.length > 0) {
    return readings.filter(({ gone }) => gone.length > 0).length < MOST_GONE;
  }
  if (isAnew(readings, readings.length - 1)) {
    return readings.filter((_, i) => isAnew(readings, i)).length < MOST_ANEW;
  }
  // Only one reading could see everything, and it shows a finding: another
  // such reading has to confirm or withdraw it.
  if (
    shows && isWhole(last) &&
    readings.filter(isWhole).length === 1
  ) return true;
  return outcome(check, readings).findings.length > 0 &&
    readings.every(({ busy }) => busy);
}

/**
 * Whether a reading could not judge something that the one before could: the
 * guest changed meanwhile.
 */
function isAnew(readings: readonly CheckReading[], i: number): boolean {
  const before = readings[i - 1]?.unjudged;
  return before !== undefined &&
    readings[i].unjudged.some(({ what }) =>
      before.every((one) => one.what !== what)
    );
}

/**
 * Index of the last reading that shows something critical, and new, that
 * nothing explains; 0 if none does.
 */
function lastNews(readings: readonly CheckReading[]): number {
  const known = new Set<string>();
  let news = 0;
  readings.forEach((reading, i) => {
    for (const finding of reading.findings) {
      const key = sameThing(finding);
      if (known.has(key) || mayPass(reading, finding)) continue;
      if (finding.brief === true) continue;
      known.add(key);
      if (finding.severity === "critical") news = i;
    }
  });
  return news;
}

/**
 * Combines several readings.
 *
 * A finding that every whole reading shows is confirmed. So is something
 * critical that two readings show and others do not, and what leads somewhere
 * else each time is unjudged: a hook that is set and removed again would
 * otherwise never be found. Only what the kernel does itself may come and go:
 * text that it is patching, under a lock, and modules.
 *
 * @param readings at least one, oldest first
 */
export function outcome(
  check: Check,
  readings: readonly CheckReading[],
): CheckOutcome {
  const last = readings[readings.length - 1];
  const things = new Map<string, Sightings>();
  const places = new Map<string, number>();
  for (const reading of readings) {
    // A finding missing from a reading that could not see everything does not
    // count as gone.
    const whole = isWhole(reading);
    const here = new Map(reading.findings.map((f) => [sameThing(f), f]));
    for (const [key, finding] of here) {
      const seen = things.get(key) ?? { finding, times: 0, whole: 0, firm: 0 };
      seen.finding = finding;
      seen.times++;
      if (whole) seen.whole++;
      if (!mayPass(reading, finding)) seen.firm++;
      things.set(key, seen);
    }
    for (const key of new Set(reading.findings.map(samePlace))) {
      places.set(key, (places.get(key) ?? 0) + 1);
    }
  }
  const wholes = readings.filter(isWhole).length;
  const now = new Set(last.findings.map(sameThing));
  const again = readings.length === 1 ? 1 : 2;
  const findings: Finding[] = [];
  const unjudged = [...last.unjudged];
  const inFlux = new Map<string, Finding>();
  for (const { gone } of readings) {
    for (const one of gone) inFlux.set(samePlace(one), one);
  }
  // No later reading could do without it.
  for (const { where } of last.gone) {
    unjudged.push({
      what: where,
      why: "it was unloaded while it was read, each time until the last",
    });
  }
  for (const { finding, times, whole, firm } of things.values()) {
    const shown = wholes > 0 ? whole === wholes : now.has(sameThing(finding));
    const { brief = false } = finding;
    if (times >= (brief ? 2 : again) && shown) {
      findings.push(finding);
      continue;
    }
    const key = samePlace(finding);
    if (firm > 1 && finding.severity === "critical") {
      const summary =
        `${finding.summary} (it comes and goes: ${times} of ${readings.length} readings show it)`;
      findings.push({ ...finding, summary });
      continue;
    }
    // What is brief by nature and not critical, as a held buffer, is in flux.
    if (firm > 1 && !brief) {
      unjudged.push({
        what: finding.where,
        why:
          `it comes and goes: ${times} of ${readings.length} readings show that ${finding.summary}`,
      });
    } else if (
      !brief && !inFlux.has(key) && places.get(key) === readings.length
    ) {
      unjudged.push({
        what: finding.where,
        why: "it held something else at each reading",
      });
    }
    if (!inFlux.has(key)) inFlux.set(key, finding);
  }
  const sighted = readings.filter(isAlarming).length;
  if (findings.length === 0 && sighted > MOST_SIGHTINGS) {
    unjudged.push({
      what: check.title,
      why:
        `${sighted} of ${readings.length} readings show something critical, and each something else`,
    });
  }
  return {
    check,
    findings,
    unjudged,
    known: last.known,
    ...(last.noted === undefined ? {} : { noted: last.noted }),
    // A text that the first reading recorded is what a later one compares with:
    // that says nothing about the text.
    notRun: readings[0].notRun ?? last.notRun,
    inFlux: [...inFlux.values()],
    judged: last.judged,
    ms: readings[0].ms,
  };
}

/** The outcome of a check that was asked for: not to be run is no answer. */
export function askedFor(one: CheckOutcome): CheckOutcome {
  const { check, notRun, unjudged } = one;
  return notRun === undefined ? one : {
    ...one,
    unjudged: [...unjudged, { what: check.title, why: `not run: ${notRun}` }],
  };
}

/** In how many readings one thing was seen. */
interface Sightings {
  /** As the last of them showed it. */
  finding: Finding;
  times: number;
  /** Those that could see everything. */
  whole: number;
  /** Those in which the kernel's own doing does not explain it. */
  firm: number;
}

/** Whether a reading saw everything. */
function isWhole({ unjudged, gone }: CheckReading): boolean {
  return unjudged.length === 0 && gone.length === 0;
}

/**
 * Whether a finding may be the kernel's own doing: a module that came or went,
 * or text that was being patched under a lock, which leads to nothing or to
 * other code of the kernel's. A held lock explains nothing else; the guest says
 * itself whether it is held.
 */
function mayPass({ busy, moving }: CheckReading, finding: Finding): boolean {
  return moving.has(finding) || busy &&
      (finding.target === undefined || finding.severity !== "critical");
}

/**
 * Whether a reading shows something critical that nothing explains, and that was
 * still there at a second look.
 */
export function isAlarming(reading: CheckReading): boolean {
  return reading.findings.some((finding) =>
    finding.severity === "critical" && finding.brief !== true &&
    !mayPass(reading, finding)
  );
}
