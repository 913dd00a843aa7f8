import assert from "node:assert/strict";
import { BUNDLED_BY } from "../../engine/output/page/bundle.ts";
import { readText } from "./files.ts";
import { BUNDLE, bundledPage } from "./page_bundle.ts";

Deno.test({
  name: "the page's bundle is what its sources are bundled to",
  // Another version of Deno may bundle in another way.
  ignore: Deno.version.deno !== BUNDLED_BY,
  async fn() {
    assert.ok(
      await bundledPage() === readText(BUNDLE),
      `${BUNDLE} is out of date: run \`deno task page\``,
    );
  },
});
