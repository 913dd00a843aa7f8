import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { isPlainWord, shellWord } from "./shell_word.ts";

const HOSTILE = [
  "a$(touch pwned)",
  "a`id`",
  "a'b",
  'a"b',
  "my vm",
  "a;b&c|d>e",
  "*",
  "~root",
  "-rf",
  "a\nb",
  "a\x1b[2Jb'c\\d",
  "Grün$HOME",
  "a!b",
  "{a,b}",
  "",
];

Deno.test("only names without meaning to a shell are plain", () => {
  for (const name of ["web1", "qemu:web-1.example", "user@host", "pid:12"]) {
    assert.ok(isPlainWord(name), name);
    assert.equal(shellWord(name), name);
  }
  for (const name of HOSTILE.filter((each) => each !== "-rf")) {
    assert.ok(!isPlainWord(name), name);
  }
  assert.equal(shellWord("/srv/a/b=c.core"), "/srv/a/b=c.core");
});

Deno.test("a quoted word is that word again, and nothing else happens", () => {
  for (const word of HOSTILE) {
    const { stdout, stderr } = spawnSync("bash", [
      "-c",
      `printf '%s|' ${shellWord(word)}`,
    ], { encoding: "utf8" });
    assert.equal(stdout, `${word}|`, stderr);
    assert.doesNotMatch(shellWord(word), /\p{Cc}/u);
  }
});
