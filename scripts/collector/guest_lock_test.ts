import assert from "node:assert/strict";
import { lockGuest, removeUnbegun } from "./guest_lock.ts";
import { StateFolder } from "./state.ts";

Deno.test("one command at a time has a guest, and the others are told which", () => {
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-lock-" });
  const before = Deno.env.get("XDG_STATE_HOME");
  Deno.env.set("XDG_STATE_HOME", folder);
  const take = (key: string) => lockGuest(key, "qemu:web1", "`xftrace off`");
  try {
    {
      using _ = take("vm-1-2");
      assert.throws(
        () => take("vm-1-2"),
        {
          message:
            `\`xftrace off\`, process ${Deno.pid} is at work on qemu:web1; run the command again when that has ended`,
        },
      );
      using _other = take("vm-3-4");
    }
    // It is free again, and the locks of guests that have ended are removed.
    using _ = take("vm-1-2");
    assert.deepEqual(
      [...Deno.readDirSync(`${folder}/xftrace/locks`)].map(({ name }) => name),
      ["vm-1-2.lock"],
    );
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("what a killed command left is removed, unless another is at it", () => {
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-lock-" });
  const before = Deno.env.get("XDG_STATE_HOME");
  Deno.env.set("XDG_STATE_HOME", folder);
  const traces = () =>
    [...Deno.readDirSync(`${folder}/xftrace`)].map(({ name }) => name)
      .filter((name) => name !== "locks").sort();
  // A guest that runs: locks of others are removed.
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const start = stat.slice(stat.lastIndexOf(")")).split(" ")[20];
  const running = `vm-${Deno.pid}-${start}`;
  try {
    removeUnbegun("`xftrace off`");
    for (const key of ["vm-1-2", running, "vm-5-6"]) {
      new StateFolder(key).create();
    }
    // There is a trace in it, although a damaged one.
    Deno.writeTextFileSync(`${folder}/xftrace/vm-5-6/state.json`, "{}");
    {
      using _ = lockGuest(running, "qemu:web1", "`xftrace on`");
      removeUnbegun("`xftrace off`");
      assert.deepEqual(traces(), [running, "vm-5-6"].sort());
    }
    removeUnbegun("`xftrace off`");
    assert.deepEqual(traces(), ["vm-5-6"]);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
    Deno.removeSync(folder, { recursive: true });
  }
});
