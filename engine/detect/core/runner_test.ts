import assert from "node:assert/strict";
import { GuestGoneError, KernelError } from "../../base/errors.ts";
import { Kernel } from "../../kernel/core/kernel.ts";
import {
  FixtureGuest,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { LiveSymbols } from "../../kernel/symbols/live_symbols.ts";
import { type CheckReading, outcome, runChecks, unsettled } from "./runner.ts";
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
});

Deno.test("what every reading shows is a finding", () => {
  const { findings, inFlux } = outcome(CHECK, [
    reading([finding("a")]),
    reading([finding("a")]),
  ]);
  assert.deepEqual(findings, [finding("a")]);
  assert.deepEqual(inFlux, []);
});

Deno.test("what is gone in a later reading is in flux, not a finding", () => {
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
  assert.equal(unsettled(CHECK, Array<CheckReading>(7).fill(gone)), true);
  const readings = Array<CheckReading>(8).fill(gone);
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

/** A kernel whose modules cannot be read because of this error. */
function unreadable(error: Error): Kernel {
  const { arch, space, symbols, types, facts } = new FixtureGuest(
    fixtureTypes({}),
  ).kernel;
  const live: LiveSymbols = Object.create(LiveSymbols.prototype, {
    refresh: {
      value: () => {
        throw error;
      },
    },
  });
  return new Kernel(arch, space, symbols, types, live, facts);
}

Deno.test("what no check can read is unjudged, never clean", async () => {
  const kernel = unreadable(new KernelError("the list of modules is damaged"));
  const { outcomes } = await runChecks(kernel, [CHECK]);
  assert.equal(outcomes.length, 1);
  const { findings, unjudged, judged } = outcomes[0];
  assert.deepEqual([findings, judged], [[], 0]);
  assert.deepEqual(unjudged, [
    { what: "test", why: "the list of modules is damaged" },
  ]);
});

Deno.test("the end of the guest ends the run", async () => {
  await assert.rejects(
    runChecks(unreadable(new GuestGoneError("it has ended")), [CHECK]),
    GuestGoneError,
  );
});

Deno.test("an internal error in what all checks need is unjudged", async () => {
  for (const error of [new TypeError("a fault"), new RangeError("too deep")]) {
    const { outcomes } = await runChecks(unreadable(error), [CHECK]);
    const [{ what, why }] = outcomes[0].unjudged;
    assert.equal(what, "test");
    assert.match(why, new RegExp(`internal error.*: ${error.message}`));
  }
});
