import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { architectures } from "../arch/all.ts";
import { XftraceError } from "../base/errors.ts";
import { checks, selectChecks } from "./checks.ts";

Deno.test("each check has an id of its own, in order, and says what it is", () => {
  const ids = checks.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)].sort());
  for (const { id, title, technique, help } of checks) {
    assert.match(id, /^XF\d{3}$/);
    assert.match(technique, /^T\d{4}(?:\.\d{3})?$/, id);
    assert.ok(title !== "" && help !== "", id);
  }
});

Deno.test("each check that a file holds is in the list, by its id", () => {
  // An architecture need not have checks of its own.
  const folders = [
    "detect/checks/",
    ...architectures.map(({ name }) => `arch/${name}/checks/`),
  ].map((folder) => new URL(`../${folder}`, import.meta.url))
    .filter((folder) => existsSync(folder));
  const held = folders.flatMap((folder) =>
    [...Deno.readDirSync(folder)]
      .map(({ name }) =>
        /^(xf\d{3})_.*(?<!_test|_fixture)\.ts$/.exec(name)?.[1]
      )
      .filter((id) => id !== undefined)
  );
  assert.deepEqual(
    held.map((id) => id.toUpperCase()).sort(),
    checks.map(({ id }) => id),
  );
});

Deno.test("docs/checks.md has a row for each check, with its technique", () => {
  const page = Deno.readTextFileSync(
    new URL("../../docs/checks.md", import.meta.url),
  );
  const rows = [...page.matchAll(/^\| (XF\d{3}) \|.*\| (T[\d.]+) +\|$/gm)]
    .map(([, id, technique]) => `${id} ${technique}`);
  assert.deepEqual(
    rows,
    checks.map(({ id, technique }) => `${id} ${technique}`),
  );
});

Deno.test("docs/checks.md names a test for what is found, and it is there", () => {
  const root = new URL("../../", import.meta.url);
  const read = (path: string) => Deno.readTextFileSync(new URL(path, root));
  const section = /^## What it finds, and what it cannot$(.*?)^## /ms
    .exec(read("docs/checks.md"))?.[1] ?? "";
  const rows = [...section.matchAll(/^\| (.*?) +\| (.*?) +\| (.*?) +\|$/gm)]
    .map(([, what, by, shown]) => ({ what, by, shown }))
    .filter(({ what }) =>
      what !== "what an intruder does" && !/^-+$/.test(what)
    );
  assert.ok(rows.length > checks.length, `${rows.length} rows`);
  const found = new Set<string>();
  for (const { what, by, shown } of rows) {
    const missed = what.startsWith("**not found:**");
    const ids = by.match(/XF\d{3}/g) ?? [];
    for (const id of ids) found.add(id);
    assert.equal(by === "none", missed, what);
    assert.ok(missed || ids.length > 0 || by === "all of them", what);
    if (missed && shown === "no test") continue;
    const [, file, words] = /^`([^`]+)`: (.+)$/.exec(shown) ?? [];
    assert.match(file ?? "", /_test\.ts$|_fixture\.ts$|^tests\//, what);
    // As it stands in the file, or over two lines of a comment.
    const text = read(file).replaceAll(/\s+(?:\/\/ |\* )?/g, " ");
    assert.ok(text.includes(words), `${what}: ${file} has no "${words}"`);
  }
  assert.deepEqual([...found].sort(), checks.map(({ id }) => id));
});

Deno.test("checks are chosen by id, in any case", () => {
  assert.deepEqual(selectChecks([]), checks);
  assert.deepEqual(
    selectChecks(["xf013", "XF001"]).map(({ id }) => id),
    ["XF013", "XF001"],
  );
  assert.throws(
    () => selectChecks(["XF999"]),
    (error) =>
      error instanceof XftraceError &&
      /^there is no check XF999; take some of XF001, /.test(error.message),
  );
});
