/** docs/one_liners.md shows the real output of the lessons. */
import assert from "node:assert/strict";
import { PAGE, page } from "../dsl/one_liners_page_fixture.ts";

Deno.test("docs/one_liners.md shows the real output of the lessons", () => {
  assert.equal(
    Deno.readTextFileSync(PAGE),
    page(),
    "write it anew: deno run --allow-read --allow-write=docs tests/dsl/one_liners_page_fixture.ts",
  );
});
