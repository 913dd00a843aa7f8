import assert from "node:assert/strict";
import { ModuleGuest, STATE } from "../core/module_fixture.ts";
import { type CheckReading, outcome, unsettled } from "../core/outcome.ts";
import { readOnce } from "../core/runner.ts";
import { hiddenModules } from "./xf015_hidden_modules.ts";

/** A guest with two modules, in every view. */
function two(live = true) {
  const it = new ModuleGuest(live);
  const [one, other] = ["one", "two"].map((name, i) => it.load(name, i));
  it.showInSysfs(one, other);
  return { it, one, other };
}

/**
 * What the check says.
 *
 * @param hidden modules that lie in memory without being on the list
 * @param meanwhile what happens after the modules were listed
 */
function checked(
  it: ModuleGuest,
  hidden: readonly bigint[] = [],
  meanwhile: () => void = () => {},
): CheckReading {
  const context = it.context(hidden);
  meanwhile();
  return readOnce(context.kernel, hiddenModules, context);
}

Deno.test("modules that every view shows are not hidden", () => {
  const { it } = two();
  const { findings, unjudged, judged, known } = checked(it);
  assert.deepEqual([findings, unjudged, judged], [[], [], 2]);
  // A view that a kernel does not have hides nothing.
  assert.deepEqual(known, ["this kernel has no module tree"]);
  const without = new ModuleGuest();
  without.load("one", 0);
  const { findings: none, known: views } = checked(without);
  assert.deepEqual([none, views.length], [[], 2]);
});

Deno.test("a module that left the list is found in memory, and the worst is its absence there", () => {
  const { it, one, other } = two();
  it.unlink(other);
  it.showInSysfs(one);
  const { findings, unjudged, judged } = checked(it, [other]);
  assert.deepEqual([unjudged, judged], [[], 2]);
  assert.deepEqual(
    findings.map(({ severity, module, summary }) => [
      severity,
      module,
      summary,
    ]),
    [[
      "critical",
      "two",
      "module two is loaded but not in the module list, nor in the /sys/module (it is in memory)",
    ]],
  );
});

Deno.test("a module that left the list and names no code is unjudged", () => {
  const { it, one, other } = two();
  it.unlink(other);
  it.showInSysfs(one);
  const context = it.context([], [other]);
  const { findings, unjudged } = readOnce(
    context.kernel,
    hiddenModules,
    context,
  );
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ what }) => what), ["module two"]);
  assert.match(
    unjudged[0].why,
    /is not in the module list, and names no code$/,
  );
});

Deno.test("a module that is hidden from /sys/module alone is found", () => {
  const { it, one } = two();
  it.showInSysfs(one);
  const { findings } = checked(it);
  assert.deepEqual(
    findings.map(({ severity, summary }) => [severity, summary]),
    [
      [
        "high",
        "module two is loaded but not in the /sys/module (it is in module list, memory)",
      ],
    ],
  );
});

Deno.test("a hidden module that claims to be loading is unjudged, never clean", () => {
  for (const state of [STATE.coming, STATE.going, 3, 0xffff]) {
    const { it, one, other } = two();
    it.unlink(other);
    it.showInSysfs(one);
    it.setState(other, state);
    const reading = checked(it, [other]);
    assert.deepEqual(reading.findings, []);
    assert.deepEqual(reading.unjudged, [{
      what: "module two",
      why:
        "it is being loaded or unloaded, and not in the module list, nor in the /sys/module",
    }]);
    // It is looked at again, since this may pass; but not without end.
    assert.equal(reading.passing, true);
    assert.equal(unsettled(hiddenModules, [reading]), true);
    assert.equal(
      unsettled(hiddenModules, Array<CheckReading>(24).fill(reading)),
      false,
    );
  }
});

Deno.test("a module in every view may have any state", () => {
  const { it, other } = two();
  it.setState(other, STATE.coming);
  const { findings, unjudged } = checked(it);
  assert.deepEqual([findings, unjudged], [[], []]);
});

Deno.test("a list that runs in circles hides no module from the other views", () => {
  const { it, one } = two();
  it.showInSysfs(one);
  const { findings, unjudged, lost } = checked(it, [], () => it.loopList());
  assert.equal(lost, true);
  assert.deepEqual(unjudged.map(({ what }) => what), ["module list"]);
  // Nobody is said to be missing from a list that could not be read.
  assert.deepEqual(findings, []);
});

Deno.test("a module that is unloaded before it is read is gone, in a recording unjudged", () => {
  for (const live of [true, false]) {
    const { it, one, other } = two(live);
    const { findings, unjudged, gone } = checked(it, [], () => {
      it.unlink(other);
      it.unmap(other);
    });
    assert.deepEqual(findings, []);
    // /sys/module still leads to it.
    const gva = `the module at 0x${other.toString(16)}`;
    assert.deepEqual(
      live ? gone.map(({ where }) => where) : unjudged.map(({ what }) => what),
      [gva],
    );
    assert.equal((live ? unjudged : gone).length, 0);
    assert.notEqual(one, other);
  }
});

Deno.test("an entry of /sys/module that leads nowhere is unjudged in the end", () => {
  const { it, one, other } = two();
  it.showInSysfs(one, other, 0x1000n);
  const reading = checked(it);
  assert.deepEqual([reading.findings, reading.judged], [[], 3]);
  const readings = [reading];
  while (unsettled(hiddenModules, readings)) readings.push(checked(it));
  assert.ok(readings.length > 3, `${readings.length} readings`);
  const { findings, unjudged } = outcome(hiddenModules, readings);
  assert.deepEqual(findings, []);
  assert.deepEqual(unjudged.map(({ what }) => what), [
    "the module at 0x1000",
  ]);
});
