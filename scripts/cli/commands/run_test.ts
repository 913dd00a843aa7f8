import assert from "node:assert/strict";
import { EXIT, XftraceError } from "xftrace";
import { xftraceCommand } from "../../xftrace.ts";

Deno.test("what is no file is no script, in one sentence", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    for (const path of [folder, `${folder}/none.ts`]) {
      const program = await xftraceCommand("run");
      await assert.rejects(
        program.parseAsync(["run", path], { from: "user" }),
        (error) => {
          assert.ok(error instanceof XftraceError);
          assert.equal(
            error.message,
            `the script ${path} cannot be read: give a file of TypeScript or JavaScript`,
          );
          assert.equal(error.exitCode, EXIT.usage);
          return true;
        },
      );
    }
  } finally {
    Deno.removeSync(folder);
  }
});
