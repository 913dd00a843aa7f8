import assert from "node:assert/strict";
import { TEXT } from "../ftrace/graph/graph_hash_fixture.ts";
import { readGraphRoots } from "../ftrace/graph/graph_roots.ts";
import type { Applied, Left } from "./applied.ts";
import { applyPlan, setRecording } from "./apply.ts";
import { ControlGuest, fileChange, Files } from "./control_fixture.ts";
import { planGraphRoots } from "./graph_roots.ts";
import { leftText, leftTexts } from "./left_text.ts";
import { lookAtSteps } from "./look.ts";
import type { ControlStep, FileChange, PlannedStep } from "./plan.ts";
import { undoChanges } from "./undo.ts";

const ROOTS = [TEXT, TEXT + 0x40n];

/** Plans steps, with their changes in this guest. */
function steps(guest: ControlGuest, ...wanted: ControlStep[]): PlannedStep[] {
  return lookAtSteps(wanted.map((step) => ({ step })), guest.target());
}

/** A step that writes a file. */
function file(change: FileChange): PlannedStep {
  return { step: { control: "file", path: change.path }, changes: [change] };
}

/** Two other roots; the guest has no text, so call sites are not searched. */
function newRoots({ kernel }: ControlGuest): PlannedStep {
  const addresses = [TEXT + 0x100n, TEXT + 0x200n];
  const { changes } = planGraphRoots(kernel, addresses);
  const functions = ["a", "b"];
  return {
    step: { control: "roots", before: [], functions, addresses },
    changes,
  };
}

const depth: ControlStep = { control: "depth", before: 0, levels: 3 };
const on: ControlStep = { control: "recording", on: true };
const off: ControlStep = { control: "recording", on: false };

Deno.test("a plan is carried out in order, and each change is recorded first", async () => {
  const guest = new ControlGuest(ROOTS);
  const target = guest.target();
  const image = guest.bytes.slice();
  const planned = steps(guest, depth, { control: "cpu", cpu: 1 }, on);
  assert.deepEqual(guest.bytes, image, "planning writes nothing");
  const told: string[] = [];
  let followed = "";
  const applied = await applyPlan({ steps: planned }, target, {
    journal: (list) => {
      const one = list[list.length - 1];
      assert.equal(one.way, "word");
      if (one.way !== "word") return;
      const { gva, width, after, what } = one.change;
      const now = width === 4
        ? BigInt(target.session.kernel.space.u32(gva))
        : guest.u64(gva);
      const done = now === after && one.pending !== true;
      told.push(`${what} ${one.pending === true ? "next" : "done"}`);
      assert.equal(done, one.pending !== true, what);
    },
    beforeRecording: () => {
      followed = told.join();
    },
  });
  assert.equal(followed, "", "followed before anything is written");
  assert.deepEqual(told.slice(0, 3), [
    "max_graph_depth next",
    "max_graph_depth done",
    "cpu1 next",
  ]);
  assert.equal(target.session.kernel.space.u32(guest.depth), 3);
  const left = await undoChanges(
    { kernel: guest.kernel, tracefs: undefined },
    applied,
  );
  assert.deepEqual(left, []);
  assert.deepEqual(guest.bytes, image, "taken back to the last byte");
});

Deno.test("when a change fails, those before it are undone", async () => {
  const guest = new ControlGuest(ROOTS);
  const planned = steps(guest, depth, on);
  const image = guest.bytes.slice();
  const bad = planned[1].changes?.map((change) => ({
    ...change,
    gva: 0x1000n,
    guards: [],
  }));
  let kept: readonly Applied[] = [];
  let failing = 0;
  await assert.rejects(
    applyPlan(
      { steps: [planned[0], { ...planned[1], changes: bad ?? [] }] },
      guest.target(),
      {
        journal: (applied) => kept = applied,
        failing: () => {
          assert.equal(guest.kernel.space.u32(guest.depth), 3);
          assert.deepEqual(
            kept.map(({ way }) => way),
            ["word"],
            "nothing pending",
          );
          failing++;
        },
      },
    ),
    /no page is mapped there \(address 0x1000\)/,
  );
  assert.equal(failing, 1);
  assert.deepEqual(guest.bytes, image);
  assert.deepEqual(kept, [], "what was undone need not be undone again");
});

Deno.test("when the user cancels, nothing is left behind", async () => {
  const guest = new ControlGuest(ROOTS);
  const image = guest.bytes.slice();
  let changes = 0;
  await assert.rejects(
    applyPlan(
      { steps: [newRoots(guest), ...steps(guest, depth, on)] },
      guest.target(),
      {
        check: () => {
          if (++changes > 5) throw new Error("enough");
        },
      },
    ),
    /enough/,
  );
  assert.deepEqual(guest.bytes, image);
});

Deno.test("a plan whose roots have changed since is refused and undone", async () => {
  for (
    const change of [
      (guest: ControlGuest) => guest.replace([TEXT + 0x80n]),
      (guest: ControlGuest, { changes = [] }: PlannedStep) => {
        const last = changes[changes.length - 1];
        if (last.way === "word") guest.setU64(last.gva, TEXT + 0x300n);
      },
    ]
  ) {
    const guest = new ControlGuest(ROOTS);
    const roots = newRoots(guest);
    const planned = [...steps(guest, depth), roots, ...steps(guest, on)];
    change(guest, roots);
    const image = guest.bytes.slice();
    await assert.rejects(
      applyPlan({ steps: planned }, guest.target()),
      /has changed its graph roots since the plan was made .* try again$/,
    );
    assert.deepEqual(guest.bytes, image);
  }
});

Deno.test("an instance that has been removed is not written to", async () => {
  const guest = new ControlGuest(ROOTS);
  guest.addInstance("mine");
  const target = guest.target("mine");
  const planned = lookAtSteps([{ step: off }], target);
  guest.removeInstance();
  const image = guest.bytes.slice();
  await assert.rejects(
    applyPlan({ steps: planned }, target),
    /removed the trace instance since the plan was made/,
  );
  assert.deepEqual(guest.bytes, image);
});

Deno.test("changes that a plan already holds are not planned again", async () => {
  const guest = new ControlGuest(ROOTS);
  const planned = steps(guest, depth);
  // Planned now, it would need no change.
  guest.setU32(guest.depth, 3);
  const applied = await applyPlan({ steps: planned }, guest.target());
  assert.deepEqual(
    applied.map((one) => one.way === "word" && one.change),
    planned[0].changes,
  );
  // The value found at the write is restored.
  await undoChanges({ kernel: guest.kernel, tracefs: undefined }, applied);
  assert.equal(guest.kernel.space.u32(guest.depth), 3);
});

Deno.test("a step takes the changes of earlier steps into account", async () => {
  const guest = new ControlGuest(ROOTS);
  const target = guest.target();
  await setRecording(target, true);
  assert.equal(target.instance.recording, true);
  const planned = steps(guest, off, on);
  const words = planned.map(({ changes }) => changes?.length);
  assert.deepEqual(words, [2, 2]);
  let between: boolean | undefined;
  await applyPlan({ steps: planned }, target, {
    beforeRecording: () => {
      between = target.instance.recording;
    },
  });
  assert.equal(between, false);
  assert.equal(target.instance.recording, true);
  await setRecording(target, false);
  assert.equal(target.instance.recording, false);
  // Already off: nothing is written.
  assert.deepEqual(steps(guest, off)[0].changes, []);
});

Deno.test("files are written before recording starts, in an instance that is created", async () => {
  const guest = new ControlGuest(ROOTS);
  const files = new Files({ "instances/mine/trace_clock": "[local] mono\n" });
  files.guest = guest;
  const planned: PlannedStep[] = [
    { step: { control: "instance", name: "mine" } },
    { step: off },
    file(fileChange("instances/mine/trace_clock", "local", "mono")),
    { step: on },
  ];
  let kept: readonly Applied[] = [];
  const ways: string[] = [];
  const applied = await applyPlan({ steps: planned }, guest.target(), {
    tracefs: files,
    journal: (list) => {
      kept = list;
    },
    beforeRecording: () => {
      ways.push(...kept.map(({ way }) => way));
      assert.equal(guest.target("mine").instance.recording, false);
    },
  });
  assert.deepEqual(ways, ["instance", "word", "word", "tracefs"]);
  assert.equal(guest.target("mine").instance.recording, true);
  assert.equal(files.contents.get("instances/mine/trace_clock"), "mono\n");
  assert.deepEqual(kept, applied);
  const target = { kernel: guest.kernel, tracefs: files };
  assert.deepEqual(await undoChanges(target, applied), []);
  assert.deepEqual(files.log, [
    "mkdir mine",
    "instances/mine/trace_clock=mono",
    "instances/mine/trace_clock=local",
    "rmdir mine",
  ]);
});

Deno.test("a change that cannot be undone is refused before anything is done", async () => {
  const guest = new ControlGuest(ROOTS);
  const files = new Files({ a: "0\n", "events/a/enable": "X\n" });
  const unknown = fileChange("events/a/enable", "", "1");
  await assert.rejects(
    applyPlan(
      {
        steps: [
          file(fileChange("a", "0", "1")),
          file({ ...unknown, before: { known: false } }),
        ],
      },
      guest.target(),
      { tracefs: files },
    ),
    /cannot be set back/,
  );
  assert.deepEqual(files.log, []);
});

Deno.test("when a file is refused, the files before it are restored", async () => {
  const guest = new ControlGuest(ROOTS);
  const files = new Files({ a: "0\n", b: "0\n" });
  files.refuses = "b";
  const left: Left[] = [];
  let kept: readonly Applied[] = [];
  await assert.rejects(
    applyPlan(
      {
        steps: [
          file(fileChange("a", "0", "1")),
          file(fileChange("b", "0", "1")),
        ],
      },
      guest.target(),
      {
        tracefs: files,
        journal: (list) => kept = list,
        failing: () =>
          assert.equal(
            kept.length,
            1,
            "nothing is pending of what was refused",
          ),
        onLeft: (list) => left.push(...list),
      },
    ),
    /refused/,
  );
  assert.deepEqual(files.log, ["a=1", "a=0"]);
  assert.deepEqual(left, []);
  assert.deepEqual(kept, [], "what was undone need not be undone again");
});

Deno.test("what the guest has changed since is kept, and reported with both values", async () => {
  const guest = new ControlGuest(ROOTS);
  const enable = "events/a/b/enable";
  const files = new Files({ [enable]: "0\n" });
  const applied = await applyPlan(
    {
      steps: [
        {
          step: { control: "enable", events: ["a:b"] },
          changes: [fileChange(enable, "0", "1")],
        },
        ...steps(guest, depth),
        newRoots(guest),
        ...steps(guest, on),
      ],
    },
    guest.target(),
    { tracefs: files },
  );
  files.contents.set(enable, "0\n");
  guest.setU32(guest.depth, 9);
  guest.replace([TEXT + 0x80n]);
  const left = await undoChanges(
    { kernel: guest.kernel, tracefs: files },
    applied,
  );
  const said = leftTexts(left, "this run");
  assert.ok(
    said.includes(
      `${enable} was changed by the guest since (it holds "0", this run left "1"), and is left as it is`,
    ),
    said.join("\n"),
  );
  assert.ok(
    said.includes(
      'max_graph_depth (fgraph_max_depth) was changed by the guest since (it holds "9", this run left "3"), and is left as it is',
    ),
    said.join("\n"),
  );
  assert.equal(
    said.filter((one) =>
      /^the guest has replaced its graph roots since \(ftrace_graph_hash is 0x/
        .test(one)
    ).length,
    1,
  );
  assert.deepEqual(files.log, [`${enable}=1`], "it was not set back");
  assert.deepEqual(readGraphRoots(guest.kernel).ips, [TEXT + 0x80n]);
  assert.equal(guest.target().instance.recording, false, "this was undone");
});

Deno.test("an instance in which the guest has set something is kept", async () => {
  const guest = new ControlGuest(ROOTS);
  const path = "instances/mine/tracing_thresh";
  const files = new Files({ [path]: "0\n" });
  files.guest = guest;
  const applied = await applyPlan(
    {
      steps: [
        { step: { control: "instance", name: "mine" } },
        file(fileChange(path, "0", "5")),
      ],
    },
    guest.target(),
    { tracefs: files },
  );
  files.contents.set(path, "7\n");
  const target = { kernel: guest.kernel, tracefs: files };
  const left = await undoChanges(target, applied);
  assert.deepEqual(left.map(({ why }) => why), ["changed", "in use"]);
  assert.match(
    leftText(left[1], "`xftrace on`"),
    /^so the instance mine, which `xftrace on` made, is left too$/,
  );
  // Without the module, none of these can be undone.
  const stuck = await undoChanges(
    { kernel: guest.kernel, tracefs: undefined },
    applied,
  );
  assert.deepEqual(stuck.map(({ why }) => why), ["no module", "no module"]);
  // An instance that the guest has removed need not be removed.
  guest.removeInstance();
  assert.deepEqual(await undoChanges(target, applied.slice(0, 1)), []);
});

Deno.test("a change that was recorded but never made needs no undo and no message", async () => {
  const guest = new ControlGuest(ROOTS);
  const [{ changes }] = steps(guest, depth);
  const [change] = changes ?? [];
  assert.ok(change.way === "word");
  const pending: Applied = { way: "word", change, found: 0n, pending: true };
  const target = { kernel: guest.kernel, tracefs: undefined };
  assert.deepEqual(await undoChanges(target, [pending]), []);
  // The write may have happened.
  guest.setU32(guest.depth, 3);
  assert.deepEqual(await undoChanges(target, [pending]), []);
  assert.equal(guest.kernel.space.u32(guest.depth), 0);
});
