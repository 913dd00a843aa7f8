/** `report --html --check`: the page has the verdict on the kernel as well. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readPage } from "../../engine/output/formats/html_fixture.ts";
import { TemporaryFolder } from "../../engine/base/temporary_folder_fixture.ts";

const path = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../${name}`));
const CORE = `core:${path("testdata/guest-6.12.core.zst")}`;

async function report(...args: string[]) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      path("scripts/xftrace.ts"),
      "report",
      "-t",
      ...args,
    ],
  }).output();
  return { code, err: new TextDecoder().decode(stderr) };
}

Deno.test("the page of a trace with findings of the kernel", async () => {
  using folder = new TemporaryFolder();
  const html = `${folder.path}/page.html`;
  const { code, err } = await report(CORE, "--html", html, "--check");
  assert.equal(code, 0, err);
  const { data } = readPage(Deno.readTextFileSync(html));
  // A snapshot for reports lacks what checks read, and the page says so.
  assert.equal(data.verdict?.kind, "unknown");
  assert.match(data.verdict?.text ?? "", /not judged in full/);
  assert.deepEqual(
    data.tables?.map(({ title, rows }) => [title, rows.length > 0]),
    [
      ["Findings", false],
      ["Could not be judged", true],
      ["In flux: gone when it was read again", false],
    ],
  );
  assert.ok((data.trace?.events ?? 0) > 1000);
});

Deno.test("--check without a page, or of a trace, is refused", async () => {
  const text = await report(CORE, "--check");
  assert.equal(text.code, 64);
  assert.match(text.err, /give --html FILE with it/);
  const dat = await report("dat:none.dat", "--html", "x.html", "--check");
  assert.equal(dat.code, 64);
  assert.match(dat.err, /is a trace, without the memory/);
});
