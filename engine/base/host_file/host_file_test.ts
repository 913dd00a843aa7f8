import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { XftraceError } from "../errors.ts";
import { createHostFile, replaceHostFile, temporaryName } from "./create.ts";
import { makeOwnFolder, requireOwnFolder } from "./folder.ts";
import { isMissing, openHostFile } from "./open.ts";
import { isOpenToOthers, isTrustedOwner } from "./owner.ts";
import { readHostFile, readHostText, readHostTextIfThere } from "./read.ts";
import { unwritable } from "./write_error.ts";

/** A folder of the test, with a file `f`. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync();

  constructor() {
    writeFileSync(this.at("f"), "text");
  }

  at(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const rules = { limit: 100 };

Deno.test("a regular file is read, up to its limit and no further", () => {
  using folder = new Folder();
  assert.equal(readHostText(folder.at("f"), { limit: 4 }), "text");
  assert.throws(
    () => readHostFile(folder.at("f"), { limit: 3 }),
    /f is larger than the 3 bytes/,
  );
});

Deno.test("what is no regular file is refused at once", () => {
  using folder = new Folder();
  spawnSync("mkfifo", [folder.at("fifo")]);
  for (
    const [path, what] of [
      [folder.at("fifo"), "a FIFO"],
      ["/dev/zero", "a device"],
      [folder.path, "a folder"],
    ]
  ) {
    for (const own of [false, true]) {
      assert.throws(() => readHostFile(path, { ...rules, own }), {
        message: `${path} is ${what}, not a regular file`,
      });
    }
  }
});

Deno.test("links are followed where a user named the file, not to our own", () => {
  using folder = new Folder();
  symlinkSync("f", folder.at("link"));
  assert.equal(readHostText(folder.at("link"), rules), "text");
  assert.throws(
    () => readHostText(folder.at("link"), { ...rules, own: true }),
    /link is a symbolic link, which is not followed there/,
  );
  symlinkSync("/dev/zero", folder.at("zero"));
  assert.throws(
    () => readHostText(folder.at("zero"), rules),
    /a device, not a regular file/,
  );
});

Deno.test("a missing file is told apart from one that is refused", () => {
  using folder = new Folder();
  assert.equal(readHostTextIfThere(folder.at("none"), rules), undefined);
  assert.throws(
    () => readHostTextIfThere(folder.path, rules),
    /a folder, not a regular file/,
  );
  try {
    openHostFile(folder.at("none"));
    assert.fail("it was opened");
  } catch (error) {
    assert.ok(isMissing(error));
    assert.ok(error instanceof XftraceError);
  }
});

Deno.test("a file is created only where nothing has its name", () => {
  using folder = new Folder();
  symlinkSync("nowhere", folder.at("dangling"));
  for (const name of ["f", "dangling"]) {
    assert.throws(() => createHostFile(folder.at(name)), { code: "EEXIST" });
  }
  assert.ok(!existsSync(folder.at("nowhere")));
  closeSync(createHostFile(folder.at("new")));
  assert.equal(statSync(folder.at("new")).mode & 0o777, 0o600);
});

Deno.test("replacing a file leaves what a link of its name leads to", () => {
  using folder = new Folder();
  symlinkSync("f", folder.at("link"));
  replaceHostFile(folder.at("link"), "other");
  assert.equal(readFileSync(folder.at("f"), "utf8"), "text");
  assert.ok(lstatSync(folder.at("link")).isFile());
  assert.equal(readFileSync(folder.at("link"), "utf8"), "other");
  assert.deepEqual(readdirSync(folder.path).sort(), ["f", "link"]);
  // What was written goes away again when it cannot get its name.
  mkdirSync(folder.at("folder"));
  assert.throws(() => replaceHostFile(folder.at("folder"), "x"));
  assert.equal(readdirSync(folder.path).length, 3);
});

Deno.test("temporary names cannot be foreseen", () => {
  const names = new Set(Array.from({ length: 100 }, () => temporaryName("a")));
  assert.equal(names.size, 100);
  for (const name of names) assert.match(name, /^a\.[0-9a-f]{16}\.part$/);
});

Deno.test("an own folder is made, and closed to others", () => {
  using folder = new Folder();
  const path = folder.at("a/b");
  makeOwnFolder(path);
  assert.equal(statSync(folder.at("a")).mode & 0o777, 0o700);
  chmodSync(path, 0o777);
  makeOwnFolder(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

Deno.test("a folder behind a link, or below a folder of everybody, is none", () => {
  using folder = new Folder();
  mkdirSync(folder.at("real"));
  symlinkSync("real", folder.at("link"));
  assert.throws(() => requireOwnFolder(folder.at("link")), /a symbolic link/);
  assert.throws(() => requireOwnFolder(folder.at("f")), /f is a file, where/);
  // An own link on the way is the user's affair.
  makeOwnFolder(folder.at("link/inner"));
  mkdirSync(folder.at("open"));
  chmodSync(folder.at("open"), 0o777);
  assert.throws(
    () => makeOwnFolder(folder.at("open/inner")),
    /everybody may write to .*open, so nothing can be kept safe/,
  );
  symlinkSync("circle", folder.at("circle"));
  assert.throws(
    () => makeOwnFolder(folder.at("circle/inner")),
    /too many symbolic links/,
  );
});

Deno.test("only this user and root are trusted as owners", () => {
  assert.ok(isTrustedOwner(0, 1000));
  assert.ok(isTrustedOwner(1000, 1000));
  assert.ok(!isTrustedOwner(1001, 1000));
  assert.ok(!isTrustedOwner(1000, 0));
  assert.ok(isOpenToOthers(0o100640));
  assert.ok(!isOpenToOthers(0o100600));
});

Deno.test("why a file cannot be written is one sentence with the fix", () => {
  using folder = new Folder();
  const why = (path: string) => {
    try {
      closeSync(createHostFile(path));
    } catch (error) {
      return unwritable(path, error, "choose another with -o").message;
    }
    return "";
  };
  assert.equal(
    why("/nope/x"),
    "cannot write /nope/x: the folder /nope does not exist; make it, or choose another with -o",
  );
  assert.match(why(folder.at("f")), /it is there already; remove it, or/);
  assert.match(
    why(folder.at("x".repeat(300))),
    /its name is too long; choose another with -o$/,
  );
  const refused = Object.assign(new Error("os error 99"), { code: "EWHAT" });
  assert.equal(
    unwritable("a", refused).message,
    "cannot write a: the system refused it (EWHAT); choose another place",
  );
});

Deno.test("an own file with another name is read, but not written to", () => {
  using folder = new Folder();
  linkSync(folder.at("f"), folder.at("other"));
  closeSync(openHostFile(folder.at("f"), { own: true }).fd);
  assert.throws(
    () => openHostFile(folder.at("f"), { own: true }, constants.O_RDWR),
    /f has other names too \(hard links\), whose content would change: copy/,
  );
  assert.equal(readFileSync(folder.at("other"), "utf8"), "text");
});
