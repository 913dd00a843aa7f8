import assert from "node:assert/strict";
import type { Left } from "xftrace/control";
import { StateFolder, type TraceState } from "./state.ts";
import { endState, RemainingChanges } from "./end_state.ts";

const WHO = "`xftrace on`";

const file = (path: string): TraceState["applied"][number] => ({
  way: "tracefs",
  change: {
    way: "tracefs",
    path,
    text: "1",
    append: false,
    before: { known: true, text: "0" },
  },
});

const [TRACER, CLOCK, MINE] = [
  file("current_tracer"),
  file("trace_clock"),
  { way: "instance", change: { way: "instance", name: "mine" } } as const,
];

const STATE: TraceState = {
  format: 2,
  target: "qemu:test",
  functions: [],
  roots: [],
  applied: [MINE, TRACER, CLOCK],
  byFiles: true,
  wasRecording: false,
  started: "2026-01-01T00:00:00.000Z",
  collector: 0,
};

/** What `off` says, and the state that it leaves. */
function end(
  left: Left[],
): { said: string | undefined; kept: TraceState | undefined } {
  const base = Deno.makeTempDirSync({ prefix: "xftrace-off-" });
  using _ = {
    [Symbol.dispose]: () => Deno.removeSync(base, { recursive: true }),
  };
  const folder = new StateFolder("vm-1-2", base);
  folder.create();
  folder.write(STATE);
  const said = endState(folder, STATE, left, WHO)?.message;
  return { said: said?.replace(folder.path, "FOLDER"), kept: folder.read() };
}

Deno.test("what could not be undone is kept, so that off can be tried again", () => {
  const reason = "no guest agent answers";
  const { said, kept } = end([
    { applied: CLOCK, why: "failed", reason },
    { applied: MINE, why: "failed", reason },
  ]);
  assert.equal(
    said,
    "not set back: trace_clock (was: 0), the instance mine: no guest agent answers; `xftrace off` tries again (to leave it so, remove FOLDER)",
  );
  // The tracer was restored: only the rest is tried again, in the same order.
  assert.deepEqual(kept, {
    ...STATE,
    collected: true,
    applied: [MINE, CLOCK],
  });
});

Deno.test("without its module, all is kept until it is loaded again", () => {
  const { said, kept } = end([{ applied: TRACER, why: "no module" }]);
  assert.match(
    String(said),
    /^the guest's module has been unloaded, so these are as `xftrace on` set them: current_tracer \(was: 0\); load the module/,
  );
  assert.deepEqual(kept?.applied, [TRACER]);
});

Deno.test("what the guest has changed since does not keep the state", () => {
  const theirs: Left = {
    applied: TRACER,
    why: "changed",
    holds: "blk",
    left: "1",
  };
  for (const left of [[], [theirs]]) {
    assert.deepEqual(end(left), { said: undefined, kept: undefined });
  }
});

Deno.test("what has been undone leaves the state at once", () => {
  const base = Deno.makeTempDirSync({ prefix: "xftrace-off-" });
  using _ = {
    [Symbol.dispose]: () => Deno.removeSync(base, { recursive: true }),
  };
  const folder = new StateFolder("vm-1-2", base);
  folder.create();
  const remaining = new RemainingChanges(folder, { ...STATE, collected: true });
  assert.deepEqual(folder.read(), { ...STATE, collected: true });
  remaining.remove(CLOCK);
  assert.deepEqual(folder.read()?.applied, [MINE, TRACER]);
  remaining.remove(TRACER);
  assert.deepEqual(folder.read()?.applied, [MINE]);
  assert.equal(folder.read()?.collected, true);
});
