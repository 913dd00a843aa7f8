import assert from "node:assert/strict";
import { type InstalledText, InstalledTexts } from "./installed_text.ts";

const KEPT: InstalledText = {
  format: 1,
  since: "2026-11-29T18:50:54.198Z",
  load: "0123456789abcdef".repeat(2),
  text: "a".repeat(64),
  file: "b".repeat(64),
};

/** Runs `body` with a temporary folder. */
function withFolder(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a record is stored for each run of a guest", () => {
  withFolder((folder) => {
    const texts = new InstalledTexts(`${folder}/installed`, "6.1-vm-7-9/../x");
    assert.equal(texts.load(), undefined);
    texts.save(KEPT);
    assert.deepEqual(texts.load(), KEPT);
    assert.equal((Deno.statSync(texts.path).mode ?? 0) & 0o777, 0o600);
    assert.ok(texts.path.startsWith(`${folder}/installed/`));
    assert.equal(new InstalledTexts(folder, "other").load(), undefined);
  });
});

Deno.test("a damaged file is reported, not treated as missing", () => {
  withFolder((folder) => {
    const texts = new InstalledTexts(folder, "vm");
    for (const text of ["", "{}", JSON.stringify({ ...KEPT, text: "a" })]) {
      Deno.writeTextFileSync(texts.path, text);
      assert.throws(
        () => texts.load(),
        /is damaged; install the module again, or remove the file/,
      );
    }
  });
});

Deno.test("old records are deleted", () => {
  withFolder((folder) => {
    new InstalledTexts(folder, "old").save(KEPT);
    const old = new InstalledTexts(folder, "old");
    const then = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    Deno.utimeSync(old.path, then, then);
    new InstalledTexts(folder, "new").save(KEPT);
    assert.equal(old.load(), undefined);
    assert.deepEqual(new InstalledTexts(folder, "new").load(), KEPT);
  });
});
