import assert from "node:assert/strict";
import { MemoryError } from "../base/errors.ts";
import { TEXT } from "../ftrace/graph/graph_hash_fixture.ts";
import type { Applied } from "./applied.ts";
import { applyPlan } from "./apply.ts";
import { ControlGuest, fileChange, Files } from "./control_fixture.ts";
import { lookAtSteps } from "./look.ts";
import type { Change } from "./plan.ts";
import { undoChanges } from "./undo.ts";

/** A guest, and the change that stops one of its CPUs from recording. */
function withoutCpu() {
  const guest = new ControlGuest([TEXT]);
  const [{ changes = [] }] = lookAtSteps(
    [{ step: { control: "cpu", cpu: 1 } }],
    guest.target(),
  );
  const change: Change = changes[0];
  assert.ok(change.way === "word" && change.counts === true);
  return { guest, change, count: () => guest.kernel.space.u32(change.gva) };
}

Deno.test("what was undone before an error is told, and is not undone again", async () => {
  const { guest, change, count } = withoutCpu();
  const before = count();
  const unmapped: Applied = {
    way: "word",
    change: { ...change, gva: 0x1000n, guards: [] },
    found: 0n,
  };
  const counted = await applyPlan(
    { steps: [{ step: { control: "cpu", cpu: 1 }, changes: [change] }] },
    guest.target(),
  );
  assert.equal(count(), before + 1);
  // Somebody else counts too: the undo must not take that count away.
  guest.setU32(change.gva, count() + 1);
  const target = { kernel: guest.kernel, tracefs: undefined };
  let remaining: readonly Applied[] = [unmapped, ...counted];
  for (const attempt of ["first", "second"]) {
    await assert.rejects(
      undoChanges(target, remaining, {
        onUndone: (one) =>
          remaining = remaining.filter((other) => other !== one),
      }),
      MemoryError,
    );
    assert.deepEqual(remaining, [unmapped], attempt);
    assert.equal(count(), before + 1, attempt);
  }
});

Deno.test("after a step has failed, only what could not be undone is still recorded", async () => {
  const { guest, change, count } = withoutCpu();
  const before = count();
  const files = new Files({ a: "0\n", b: "0\n" });
  files.refuses = "b";
  let kept: readonly Applied[] = [];
  await assert.rejects(
    applyPlan(
      {
        steps: [
          {
            step: { control: "file", path: "a" },
            changes: [fileChange("a", "0", "1")],
          },
          { step: { control: "cpu", cpu: 1 }, changes: [change] },
          {
            step: { control: "file", path: "b" },
            changes: [fileChange("b", "0", "1")],
          },
        ],
      },
      guest.target(),
      {
        tracefs: files,
        journal: (applied) => kept = applied,
        failing: () => {
          files.refuses = "a";
        },
      },
    ),
    /refused/,
  );
  assert.equal(count(), before);
  assert.deepEqual(
    kept.map((one) => one.way === "tracefs" && one.change.path),
    ["a"],
  );
});
