import assert from "node:assert/strict";
import { filesBelow, readText } from "./files.ts";
import { anchorsOf, linksOf } from "./links_fixture.ts";

const FILES = filesBelow();
const PAGES = FILES.filter((path) => path.endsWith(".md"));

Deno.test("links of a page: relative to it, none of the web or of code", () => {
  const page = [
    "[a](b.md) and ![c](../d/e.png 'title')",
    "[f](https://example.org/g.md) `[h](i.md)`",
    "```md",
    "[j](k.md)",
    "```",
    "[several",
    "lines](l.md#m-n), [itself](#o), [folder](../p/), [root](..)",
    "[name]: q.md",
  ].join("\n");
  assert.deepEqual(linksOf("docs/x.md", page), [
    { line: 1, link: "b.md", path: "docs/b.md", anchor: "" },
    { line: 1, link: "../d/e.png", path: "d/e.png", anchor: "" },
    { line: 7, link: "l.md#m-n", path: "docs/l.md", anchor: "m-n" },
    { line: 7, link: "#o", path: "docs/x.md", anchor: "o" },
    { line: 7, link: "../p/", path: "p", anchor: "" },
    { line: 7, link: "..", path: "", anchor: "" },
    { line: 8, link: "q.md", path: "docs/q.md", anchor: "" },
  ]);
});

Deno.test("anchors of headings: lower case, hyphens, numbers when repeated", () => {
  const page = [
    "# Checks: is this `kernel_x` still itself?",
    "## Again",
    "```sh",
    "# a comment",
    "```",
    "### Again",
    "## See [a page](b.md)",
    "#no heading",
  ].join("\n");
  assert.deepEqual([...anchorsOf(page)], [
    "checks-is-this-kernel_x-still-itself",
    "again",
    "again-1",
    "see-a-page",
  ]);
});

Deno.test("every link of the pages leads to a file or folder, and a heading", () => {
  const there = new Set(
    FILES.flatMap((path) =>
      path.split("/").map((_, i, parts) => parts.slice(0, i).join("/"))
        .concat(path)
    ),
  );
  const links = PAGES.flatMap((page) =>
    linksOf(page, readText(page)).map((link) => ({ page, ...link }))
  );
  const broken = links.flatMap(({ page, line, link, path, anchor }) => {
    if (!there.has(path)) return [`${page}:${line}: ${link}: no ${path}`];
    return anchor === "" || anchorsOf(readText(path)).has(anchor)
      ? []
      : [`${page}:${line}: ${link}: ${path} has no such heading`];
  });
  assert.deepEqual(broken, []);
  for (const page of ["README.md", "CONTRIBUTING.md", "docs/architecture.md"]) {
    assert.ok(links.some((link) => link.page === page), `${page} has links`);
  }
});
