import assert from "node:assert/strict";
import { TemporaryFolder } from "../temporary_folder_fixture.ts";
import { UnnamedFile } from "./unnamed_file.ts";

Deno.test("what was appended is read at its place; no file is left", () => {
  using folder = new TemporaryFolder();
  const before = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", folder.path);
  try {
    using file = new UnnamedFile();
    assert.deepEqual([...Deno.readDirSync(folder.path)], []);
    file.append(Uint8Array.of(1, 2, 3));
    file.append(Uint8Array.of(4, 5));
    assert.equal(file.size, 5);
    const into = new Uint8Array(3);
    file.read(2, into);
    assert.deepEqual([...into], [3, 4, 5]);
    assert.throws(() => file.read(4, into), /shorter/);
    Deno.env.set("TMPDIR", `${folder.path}/absent`);
    assert.throws(
      () => new UnnamedFile(),
      /cannot write .*absent: the folder .* does not exist; make it, or set TMPDIR/,
    );
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
  }
});
