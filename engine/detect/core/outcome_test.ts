import assert from "node:assert/strict";
import { askedFor, type CheckReading, outcome, unsettled } from "./outcome.ts";
import type { Finding } from "../finding.ts";
import type { Check } from "./check.ts";

const CHECK: Check = {
  id: "XF000",
  title: "test",
  technique: "T1014",
  help: "",
  run: () => {},
};

const finding = (where: string, found = "x"): Finding => ({
  check: "XF000",
  severity: "high",
  summary: where,
  where,
  address: 1n,
  found,
});

const reading = (
  findings: Finding[],
  unjudged: { what: string; why: string }[] = [],
): CheckReading => ({
  findings,
  unjudged,
  known: [],
  notRun: undefined,
  judged: 1,
  ms: 1,
  busy: false,
  lost: false,
  passing: false,
  gone: [],
  moving: new Set(),
});

Deno.test("what every reading shows is a finding", () => {
  const { findings, inFlux } = outcome(CHECK, [
    reading([finding("a")]),
    reading([finding("a")]),
  ]);
  assert.deepEqual(findings, [finding("a")]);
  assert.deepEqual(inFlux, []);
});

Deno.test("what one reading alone shows is in flux, not a finding", () => {
  const { findings, inFlux, unjudged } = outcome(CHECK, [
    reading([finding("a")]),
    reading([]),
  ]);
  assert.deepEqual(findings, []);
  assert.deepEqual(inFlux, [finding("a")]);
  assert.deepEqual(unjudged, []);
});

Deno.test("what is new in the last reading is not a finding yet", () => {
  const { findings, inFlux } = outcome(CHECK, [
    reading([finding("a")]),
    reading([finding("b")]),
  ]);
  assert.deepEqual(findings, []);
  assert.deepEqual(inFlux.map(({ where }) => where), ["a", "b"]);
});

Deno.test("a place whose content differs each time cannot be judged", () => {
  const { findings, unjudged } = outcome(CHECK, [
    reading([finding("a", "1")]),
    reading([finding("a", "2")]),
  ]);
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ what }) => what), ["a"]);
});

Deno.test("a finding whose content varies by itself is one finding", () => {
  const seen = (found: string) => ({ ...finding("a", found), varies: true });
  const { findings, unjudged, inFlux } = outcome(CHECK, [
    reading([seen("on a run queue")]),
    reading([seen("asleep")]),
  ]);
  assert.deepEqual(findings, [seen("asleep")]);
  assert.deepEqual([unjudged, inFlux], [[], []]);
});

Deno.test("a reading that could not see everything does not withdraw a finding", () => {
  const { findings } = outcome(CHECK, [
    reading([finding("a")]),
    reading([], [{ what: "memory", why: "gone" }]),
    reading([finding("a")]),
  ]);
  assert.deepEqual(findings, [finding("a")]);
});

Deno.test("a recording is read once, and that is enough", () => {
  const { findings } = outcome(CHECK, [reading([finding("a")])]);
  assert.deepEqual(findings, [finding("a")]);
});

Deno.test("a finding is settled after four readings", () => {
  const readings = [reading([finding("a")])];
  assert.equal(unsettled(CHECK, readings), true);
  while (readings.length < 4) readings.push(reading([finding("a")]));
  assert.equal(unsettled(CHECK, readings), false);
});

Deno.test("findings made under a lock are read again until the lock is free", () => {
  const busy = { ...reading([finding("a")]), busy: true };
  assert.equal(unsettled(CHECK, [busy, busy, busy, busy, busy]), true);
  const free = reading([finding("a")]);
  assert.equal(unsettled(CHECK, [busy, busy, busy, busy, free]), false);
  // A lock that is never released does not hide anything.
  const many = Array<CheckReading>(30).fill(busy);
  assert.equal(unsettled(CHECK, many), false);
  assert.equal(outcome(CHECK, many).findings.length, 1);
});

Deno.test("a failed walk is repeated", () => {
  const gone = [{ what: "list", why: "runs in circles" }];
  const lost = { ...reading([], gone), lost: true };
  assert.equal(unsettled(CHECK, [lost, lost, lost, lost]), true);
  assert.equal(unsettled(CHECK, Array<CheckReading>(8).fill(lost)), false);
  const never = reading([], gone);
  assert.equal(unsettled(CHECK, [never, never, never, never]), false);
  assert.equal(unsettled(CHECK, [lost, reading([])]), false);
  // A failed walk after many readings under a lock counts as the first failure.
  const busy = { ...reading([finding("a")]), busy: true };
  const held = Array<CheckReading>(9).fill(busy);
  assert.equal(unsettled(CHECK, [...held, lost]), true);
  assert.equal(unsettled(CHECK, [...held, ...held, ...held, lost]), false);
});

Deno.test("what was unloaded while it was read is in flux, and read again", () => {
  const gone = { ...reading([]), gone: [finding("text of module tun")] };
  assert.equal(unsettled(CHECK, [gone]), true);
  const readings = [gone, reading([])];
  assert.equal(unsettled(CHECK, readings), false);
  const { findings, unjudged, inFlux } = outcome(CHECK, readings);
  assert.deepEqual([findings, unjudged], [[], []]);
  assert.deepEqual(inFlux, gone.gone);
});

Deno.test("what is unloaded in each reading is unjudged, never clean", () => {
  const gone = { ...reading([]), gone: [finding("text of module tun")] };
  assert.equal(unsettled(CHECK, Array<CheckReading>(15).fill(gone)), true);
  const readings = Array<CheckReading>(16).fill(gone);
  assert.equal(unsettled(CHECK, readings), false);
  const { unjudged } = outcome(CHECK, readings);
  assert.deepEqual(unjudged.map(({ what }) => what), ["text of module tun"]);
  // Nor does it withdraw what the other readings show.
  const shown = reading([finding("a")]);
  assert.deepEqual(
    outcome(CHECK, [shown, gone, shown]).findings,
    [finding("a")],
  );
});

Deno.test("a state that may pass is read again for long, and is unjudged in the end", () => {
  const going = [{ what: "text of module tun", why: "it is being unloaded" }];
  const passing = { ...reading([], going), passing: true };
  assert.equal(unsettled(CHECK, Array<CheckReading>(23).fill(passing)), true);
  const readings = Array<CheckReading>(24).fill(passing);
  assert.equal(unsettled(CHECK, readings), false);
  assert.deepEqual(outcome(CHECK, readings).unjudged, going);
  // It has passed.
  assert.equal(unsettled(CHECK, [passing, reading([])]), false);
});

Deno.test("what only one reading could show is read again", () => {
  const lost = reading([], [{ what: "memory", why: "gone" }]);
  const shown = reading([finding("a")]);
  assert.equal(unsettled(CHECK, [lost, lost, lost, shown]), true);
  assert.equal(unsettled(CHECK, [lost, lost, lost, shown, shown]), false);
});

const critical = (where: string, found = "x", target?: bigint): Finding => ({
  ...finding(where, found),
  severity: "critical",
  ...(target === undefined ? {} : { target }),
});
/** The outcome of readings that show these, one each; "": nothing. */
const over = (...places: string[]) =>
  outcome(
    CHECK,
    places.map((place) => reading(place === "" ? [] : [critical(place)])),
  );

Deno.test("a hook that is missing in one reading of four is a finding", () => {
  for (
    const seen of [
      ["a", "a", "", "a"],
      ["a", "a", "a", ""],
      ["", "a", "a", ""],
      ["a", "", "", "a"],
    ]
  ) {
    const { findings, inFlux } = over(...seen);
    assert.deepEqual(findings.map(({ where }) => where), ["a"]);
    assert.match(findings[0].summary, /comes and goes: \d of 4 readings/);
    assert.deepEqual(inFlux, []);
  }
});

Deno.test("less than critical, what comes and goes is unjudged", () => {
  const { findings, unjudged } = outcome(CHECK, [
    reading([finding("a")]),
    reading([]),
    reading([finding("a")]),
    reading([]),
  ]);
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ what }) => what), ["a"]);
});

Deno.test("a hook that moves between two places is found at both", () => {
  const { findings } = over("a", "b", "a", "b");
  assert.deepEqual(findings.map(({ where }) => where), ["a", "b"]);
});

Deno.test("a hook that is somewhere else each time is unjudged", () => {
  const { findings, unjudged } = over("a", "b", "c", "d");
  assert.deepEqual(findings, []);
  assert.match(unjudged[0].why, /4 of 4 readings show something critical/);
  assert.deepEqual(over("a", "", "b", "").unjudged, []);
});

Deno.test("text that is being patched under a lock may come and go", () => {
  const busy = (...findings: Finding[]) => ({
    ...reading(findings),
    busy: true,
  });
  const patched = critical("a");
  const hook = critical("b", "x", 2n);
  const { findings, unjudged, inFlux } = outcome(CHECK, [
    busy(patched),
    reading([]),
    busy(patched),
    reading([]),
  ]);
  assert.deepEqual([findings, unjudged], [[], []]);
  assert.deepEqual(inFlux, [patched]);
  // The lock is a word of the guest's: it excuses nothing that leads away.
  const led = outcome(CHECK, [
    busy(hook),
    reading([]),
    busy(hook),
    reading([]),
  ]);
  assert.deepEqual(led.findings.map(({ where }) => where), ["b"]);
});

Deno.test("what led to a module that came or went may come and go", () => {
  const hook = critical("a", "x", 2n);
  const seen = { ...reading([hook]), moving: new Set([hook]) };
  const { findings, unjudged } = outcome(CHECK, [
    seen,
    reading([]),
    seen,
    reading([]),
  ]);
  assert.deepEqual([findings, unjudged], [[], []]);
  // It is no excuse for what every reading shows.
  assert.deepEqual(outcome(CHECK, [seen, seen]).findings, [hook]);
});

Deno.test("what is seen first in a late reading is looked for as often", () => {
  const none = reading([]);
  const late = [none, none, none, reading([critical("a")])];
  assert.equal(unsettled(CHECK, [none, none]), false);
  assert.equal(unsettled(CHECK, late), true);
  assert.equal(unsettled(CHECK, [...late, none, none]), true);
  assert.equal(unsettled(CHECK, [...late, none, none, none]), false);
});

Deno.test("many findings take no longer than their number", () => {
  const many = Array.from(
    { length: 20_000 },
    (_, i) => ({ ...critical("a"), address: BigInt(i) }),
  );
  const { findings } = outcome(CHECK, Array(24).fill(reading(many)));
  assert.equal(findings.length, many.length);
});

Deno.test("a check that was asked for and not run is unjudged", () => {
  const idle = { ...reading([]), notRun: "no image was given", judged: 0 };
  const [ran, not] = [reading([]), idle].map((one) => outcome(CHECK, [one]));
  assert.deepEqual([ran, not].map(({ unjudged }) => unjudged), [[], []]);
  assert.deepEqual(askedFor(ran), ran);
  assert.deepEqual(askedFor(not).unjudged.map(({ why }) => why), [
    "not run: no image was given",
  ]);
});

Deno.test("what the first reading could not judge, a later one did not either", () => {
  const first = { ...reading([]), notRun: "its text is recorded now" };
  const readings = [first, reading([])];
  assert.equal(outcome(CHECK, readings).notRun, "its text is recorded now");
  assert.equal(outcome(CHECK, [first]).notRun, "its text is recorded now");
  assert.equal(outcome(CHECK, [reading([])]).notRun, undefined);
  const found = outcome(CHECK, [
    first,
    ...Array(3).fill(reading([finding("a")])),
  ]);
  assert.equal(found.findings.length + found.unjudged.length, 1);
});

Deno.test("what was over at a second look counts only when it is there again", () => {
  const brief = (where: string): Finding => ({
    ...finding(where),
    severity: "critical",
    brief: true,
  });
  // Processes that begin and end: another one in each reading.
  const births = ["a", "b", "c", "d"].map((where) => reading([brief(where)]));
  assert.equal(unsettled(CHECK, births.slice(0, 1)), true);
  assert.equal(unsettled(CHECK, births), false);
  const busy = outcome(CHECK, births);
  assert.deepEqual([busy.findings, busy.unjudged], [[], []]);
  assert.equal(busy.inFlux.length, 4);
  // A single reading of a check that takes long is not enough for a finding.
  assert.deepEqual(outcome(CHECK, births.slice(0, 1)).findings, []);
  // One that hides and shows itself all the time.
  const toggled = [reading([brief("a")]), reading([]), reading([brief("a")])];
  assert.equal(unsettled(CHECK, toggled), true);
  const [seen] = outcome(CHECK, toggled).findings;
  assert.match(seen.summary, /comes and goes: 2 of 3 readings/);
});

Deno.test("what is brief and not critical is in flux unless all readings show it", () => {
  const held = { ...finding("recording"), brief: true };
  const { findings, unjudged, inFlux } = outcome(CHECK, [
    reading([held]),
    reading([]),
    reading([held]),
    reading([]),
  ]);
  assert.deepEqual([findings, unjudged], [[], []]);
  assert.deepEqual(inFlux, [held]);
  const lasting = Array<CheckReading>(4).fill(reading([held]));
  assert.deepEqual(outcome(CHECK, lasting).findings, [held]);
});

Deno.test("what could be judged before is read again, but not for ever", () => {
  const left = reading([], [{ what: "task 7", why: "it has ended" }]);
  assert.equal(unsettled(CHECK, [reading([]), left]), true);
  assert.equal(unsettled(CHECK, [reading([]), left, reading([])]), false);
  // The same again will not pass.
  assert.equal(unsettled(CHECK, [reading([]), left, left, left]), false);
  const other = reading([], [{ what: "task 8", why: "it has ended" }]);
  assert.equal(unsettled(CHECK, [reading([]), left, other]), true);
  const moving = [reading([]), ...Array(7).fill([left, other]).flat()];
  assert.equal(unsettled(CHECK, moving.slice(0, 8)), true);
  assert.equal(unsettled(CHECK, moving.slice(0, 9)), false);
});
