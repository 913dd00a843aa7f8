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
  assert.deepEqual(known, [
    "this kernel has no module tree",
    "modules for which the kernel vouches (2): one, two",
  ]);
  const without = new ModuleGuest();
  without.load("one", 0);
  const { findings: none, known: views } = checked(without);
  assert.deepEqual([none, views.length], [[], 3]);
});

Deno.test("the module list is told, with what the kernel says of each", () => {
  const { it, other } = two();
  it.setUnsigned(other);
  assert.deepEqual(checked(it).known.slice(1), [
    "modules for which the kernel vouches (1): one",
    "module two: the kernel does not vouch for it (out of tree, unsigned)",
  ]);
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

/** What is said of the second module, as short as that. */
const sayings = ({ findings, unjudged, gone }: CheckReading) => [
  ...findings.map(({ severity, summary }) => `${severity}: ${summary}`),
  ...unjudged.map(({ what, why }) => `unjudged: ${what}: ${why}`),
  ...gone.map(({ where }) => `gone: ${where}`),
];

Deno.test("a hidden module is named, whatever state it is said to have", () => {
  const claims = {
    [STATE.coming]: "its state is COMING, as of a module that is",
    [STATE.going]: "its state is GOING, as of a module that is",
    [STATE.unformed]: "its state is UNFORMED, as of a module that is",
    [0xffff]: "its state is 65535, which the kernel does not have",
  };
  for (const live of [true, false]) {
    for (const [state, claim] of Object.entries(claims)) {
      const { it, one, other } = two(live);
      it.unlink(other);
      it.showInSysfs(one);
      it.setState(other, Number(state));
      const [said, ...more] = sayings(checked(it, [other]));
      const start =
        `critical: module two is loaded but not in the module list, nor in the /sys/module (it is in memory); ${claim}`;
      assert.deepEqual([said.slice(0, start.length), more], [start, []]);
    }
  }
});

Deno.test("a module that is on the list, and unformed after it was live, is named", () => {
  const unformed =
    "its state is UNFORMED, as of a module that is being loaded or unloaded, but that does not pass";
  const { it, one, other } = two();
  it.setState(other, STATE.unformed);
  assert.deepEqual(sayings(checked(it)), [
    `critical: module two is loaded but not in /proc/modules (it is in module list, /sys/module, memory); ${unformed}`,
  ]);
  // No module has its folder while it is unformed, init code or not.
  it.setInit(other, 4096n);
  assert.equal(sayings(checked(it)).length, 1);
  it.showInSysfs(one);
  assert.deepEqual(sayings(checked(it)), [
    "unjudged: module two: it is being loaded or unloaded, and not in the /sys/module",
  ]);
  it.setInit(other, 0n);
  assert.deepEqual(sayings(checked(it)), [
    `critical: module two is loaded but not in the /sys/module (it is in module list, memory); ${unformed}`,
  ]);
});

Deno.test("a module that was taken off the module tree is named, live or not", () => {
  for (
    const [state, severity, claim] of [
      [STATE.live, "high", ""],
      [STATE.going, "critical", "; its state is GOING, "],
      [STATE.coming, "critical", "; its state is COMING, "],
    ] as const
  ) {
    const { it, one, other } = two();
    it.showInTree(one, other);
    assert.deepEqual(sayings(checked(it)), []);
    it.showInTree(one);
    it.setState(other, state);
    const [said, ...more] = sayings(checked(it));
    const start =
      `${severity}: module two is loaded but not in the module tree (it is in module list, /sys/module, memory)${claim}`;
    assert.deepEqual([said.slice(0, start.length), more], [start, []]);
  }
});

Deno.test("a module that hides its symbols is named", () => {
  const { it, one, other } = two();
  it.setSymbols(one, 7);
  it.setSymbols(other, 0);
  assert.deepEqual(sayings(checked(it)), [
    "high: module two hides its symbols: num_symtab is 0, which no module is loaded with",
  ]);
  it.unlink(other);
  const [said, ...more] = sayings(checked(it, [other]));
  assert.match(
    said,
    /^critical: module two is loaded but not in the module list \(it is in \/sys\/module, memory\); its symbols are hidden \(num_symtab is 0\)$/,
  );
  assert.deepEqual(more, []);
});

Deno.test("a module that is unloaded, or formed, within a moment is in flux", () => {
  const after = (reads: number, then: () => void) => {
    let left = reads;
    return () => {
      if (--left === 0) then();
    };
  };
  // Its memory is given back after it was taken off the list.
  const unloaded = two();
  unloaded.it.unlink(unloaded.other);
  unloaded.it.showInSysfs(unloaded.one);
  unloaded.it.setState(unloaded.other, STATE.unformed);
  const reading = checked(unloaded.it, [unloaded.other], () => {
    unloaded.it.onRead(
      after(400, () => unloaded.it.unmap(unloaded.other)),
    );
  });
  assert.deepEqual(sayings(reading), ["gone: module two"]);
  assert.equal(unsettled(hiddenModules, [reading]), true);
  // It was listed meanwhile, and is live.
  const formed = two();
  formed.it.setState(formed.other, STATE.unformed);
  const later = checked(formed.it, [], () => {
    formed.it.onRead(
      after(400, () => formed.it.setState(formed.other, STATE.live)),
    );
  });
  assert.deepEqual(sayings(later), [
    "unjudged: module two: it is being loaded or unloaded",
  ]);
  assert.equal(later.passing, true);
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
