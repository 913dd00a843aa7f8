import assert from "node:assert/strict";
import { XftraceError } from "xftrace";
import { toldByFile } from "./ask_guest.ts";
import { readBaseline } from "./commands/baseline.ts";
import { readKernelFile } from "./kernel_file.ts";
import { moduleFiles } from "./module_files.ts";
import { readGiven } from "./user_files.ts";

Deno.test("a file that is not there is named in one sentence, by every reader", () => {
  const path = "/no/such/file";
  const readers: readonly [() => unknown, string][] = [
    [() => readGiven(path), path],
    [() => readBaseline(path), path],
    [() => readKernelFile(path), path],
    [() => toldByFile(path), `--tracefs ${path}`],
    [() => moduleFiles([path]), `--modules ${path}`],
    [() => readGiven(path, "--module"), `--module ${path}`],
  ];
  for (const [read, named] of readers) {
    assert.throws(read, (error) => {
      assert.ok(error instanceof XftraceError);
      assert.equal(
        error.message,
        `${named} cannot be read: there is no such file`,
      );
      return true;
    });
  }
});
