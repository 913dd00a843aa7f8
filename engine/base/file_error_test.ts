import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileError, whyUnreadable } from "./file_error.ts";

Deno.test("file errors say what to do", () => {
  const failed = (code: string) => Object.assign(new Error("x"), { code });
  assert.match(
    fileError("/a", failed("EACCES")).message,
    /no permission to read \/a; run as a user who may/,
  );
  assert.match(
    fileError("/a", new Deno.errors.NotCapable("x")).message,
    /add --allow-read/,
  );
  assert.match(fileError("/a", failed("EIO")).message, /cannot read \/a: x/);
});

Deno.test("why a file cannot be read, without the system's own text", () => {
  const folder = Deno.makeTempDirSync();
  const why = (path: string, read: (path: string) => unknown) => {
    try {
      read(path);
    } catch (error) {
      return whyUnreadable(error);
    }
    return "read";
  };
  try {
    for (const read of [Deno.readTextFileSync, readFileSync]) {
      assert.equal(why(`${folder}/none`, read), "there is no such file");
      assert.equal(why(folder, read), "it is a folder; give a file");
    }
    assert.equal(
      why(`${folder}/${"a".repeat(300)}`, Deno.readTextFileSync),
      "File name too long (os error 36)",
    );
  } finally {
    Deno.removeSync(folder);
  }
  assert.equal(
    whyUnreadable(Object.assign(new Error("x"), { code: "EACCES" })),
    "you have no permission; run as a user who may, or as root",
  );
});
