import assert from "node:assert/strict";
import { lockGuest } from "./guest_lock.ts";

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
