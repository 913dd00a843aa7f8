import assert from "node:assert/strict";
import { LabError } from "./errors.ts";
import { checkName, parseMemory, settle } from "./options.ts";

Deno.test("memory sizes", () => {
  assert.equal(parseMemory("512M"), 512);
  assert.equal(parseMemory("4G"), 4096);
  assert.equal(parseMemory("4GiB"), 4096);
  assert.equal(parseMemory("1024"), 1024);
  for (const bad of ["", "0", "lots", "-1G", "64M", "1.5G", "512K"]) {
    assert.throws(() => parseMemory(bad), LabError, bad);
  }
});

Deno.test("names", () => {
  for (const good of ["web1", "a", "A-b_c.d"]) checkName(good);
  for (const bad of ["", ".", "..", "-x", "a/b", "a b", "a".repeat(41), "ä"]) {
    assert.throws(() => checkName(bad), LabError, bad);
  }
});

Deno.test("defaults", () => {
  const settings = settle({});
  assert.equal(settings.kernel, "6.1");
  assert.equal(settings.share, true);
  assert.equal(settings.outlive, false);
  assert.notEqual(settings.name, settle({}).name);
});

Deno.test("refuses invalid values", () => {
  assert.throws(() => settle({ cpus: 0 }), LabError);
  assert.throws(() => settle({ cpus: NaN }), LabError);
  assert.throws(() => settle({ cpu: "host; rm" }), LabError);
  assert.throws(() => settle({ append: "a\nb" }), LabError);
  assert.throws(() => settle({ lifeSeconds: 7201 }), LabError);
});
