import assert from "node:assert/strict";
import type { Kernel } from "../engine/kernel/core/kernel.ts";
import type { Whereabouts } from "../engine/session.ts";
import { socketServer } from "./socket_server_fixture.ts";
import { askWhereabouts, MoveWatch } from "./whereabouts.ts";

const LIMITS = { greeting: 200, answer: 200 };

/** A monitor that tells one status. */
function monitor(status: string) {
  return socketServer(`
    await say('{"QMP": {}}\\r\\n');
    for await (const line of lines()) {
      const { execute } = JSON.parse(line);
      const status = ${JSON.stringify(status)};
      const answer = execute === "query-status" ? { status } : {};
      await say(JSON.stringify({ return: answer }) + "\\r\\n");
    }`);
}

Deno.test("QEMU's monitor tells whether it runs its guest", async () => {
  const vm = { kind: "qemu", libvirt: false, pid: Deno.pid } as const;
  for (
    const [status, where] of [
      ["running", "here"],
      ["paused", "paused"],
      ["io-error", "paused"],
      // What a guest can do by itself.
      ["suspended", "here"],
      ["guest-panicked", "here"],
      ["postmigrate", "away"],
    ] as const
  ) {
    await using server = await monitor(status);
    const monitors = ["/nowhere/qmp.sock", server.path];
    assert.equal(askWhereabouts({ ...vm, monitors }, undefined, LIMITS), where);
    assert.equal(askWhereabouts(vm, server.path, LIMITS), where);
    // Its command line leads to another process's socket.
    const other = { ...vm, monitors, pid: 1 };
    assert.equal(askWhereabouts(other, undefined, LIMITS), "unknown");
  }
  await using silent = await socketServer("for await (const _ of lines());");
  const monitors = [silent.path];
  assert.equal(
    askWhereabouts({ ...vm, monitors }, undefined, LIMITS),
    "unknown",
  );
  assert.equal(askWhereabouts({ ...vm, monitors: [] }), "unknown");
  assert.equal(
    askWhereabouts({ ...vm, kind: "firecracker", monitors }),
    "unknown",
  );
});

Deno.test("a monitor is asked while the guest stands still, and seldom", () => {
  let still = 0;
  let now = 0;
  let asked = 0;
  let answer: Whereabouts = "here";
  const kernel = { origin: { stillMs: () => still } } as unknown as Kernel;
  const watch = new MoveWatch(kernel, () => (asked++, answer), () => now);
  const after = (ms: number) => {
    now += ms;
    still += ms;
    return watch.look();
  };
  assert.equal(after(999), false);
  assert.equal(asked, 0);
  assert.equal(after(1), false);
  assert.equal(asked, 1);
  after(2999);
  assert.equal(asked, 1);
  answer = "unknown";
  assert.equal(after(1), false);
  assert.equal(asked, 2);
  after(29_999);
  assert.equal(asked, 2);
  answer = "away";
  assert.equal(after(1), true);
  assert.equal(after(1), true);
  assert.equal(asked, 3);
  still = 0;
  assert.equal(after(0), false);
  answer = "paused";
  still = 1000;
  assert.equal(after(3000), false);
  assert.equal(watch.paused, true);
  still = 0;
  after(0);
  assert.equal(watch.paused, false);
});
