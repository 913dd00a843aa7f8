import assert from "node:assert/strict";
import { interpreterOf, isElf, neededBy, section } from "./elf.ts";

Deno.test("finds a program's interpreter and libraries", () => {
  const shell = Deno.readFileSync("/bin/sh");
  assert.ok(isElf(shell));
  assert.match(interpreterOf(shell) ?? "", /^\/lib.*\/ld-/);
  assert.ok(neededBy(shell).some((name) => /^libc\.so/.test(name)));
});

Deno.test("finds nothing in a file that is not ELF", () => {
  for (const bytes of [new Uint8Array(), new TextEncoder().encode("#!/x\n")]) {
    assert.equal(isElf(bytes), false);
    assert.equal(interpreterOf(bytes), undefined);
    assert.deepEqual(neededBy(bytes), []);
    assert.equal(section(bytes, ".text").length, 0);
  }
});
