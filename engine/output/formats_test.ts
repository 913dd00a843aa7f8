import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import { formatNamed, FORMATS } from "./formats.ts";

Deno.test("formats are found by name; the error for an unknown one lists them", () => {
  for (const format of FORMATS) assert.equal(formatNamed(format.name), format);
  assert.throws(() => formatNamed("xml"), (error) => {
    assert.ok(error instanceof XftraceError);
    assert.equal(error.exitCode, 64);
    assert.match(error.message, /^there is no format "xml"; there are text/);
    return true;
  });
});

Deno.test("each format that a file defines is in the list", async () => {
  const folder = new URL("formats/", import.meta.url);
  const made: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (/_(test|fixture)\.ts$/.test(name)) continue;
    const text = await Deno.readTextFile(new URL(name, folder));
    const names = /^export const \w+: TraceFormat = \{\s*name: "(\w+)",$/gm;
    for (const [, format] of text.matchAll(names)) made.push(format);
  }
  assert.deepEqual(made.sort(), FORMATS.map((each) => each.name).sort());
});
