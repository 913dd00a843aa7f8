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
