import assert from "node:assert/strict";
import { shownText } from "./shown.ts";

Deno.test("control characters are shown as escapes", () => {
  assert.equal(
    shownText("a\x1b[31mred\x07 \u009b2J\u202eevil\u2069"),
    "a\\x1b[31mred\\x07 \\x9b2J\\u{202e}evil\\u{2069}",
  );
  assert.equal(shownText("half \ud800 pair"), "half \\u{d800} pair");
});

Deno.test("a text becomes one line of bounded length", () => {
  assert.equal(shownText("  one\r\n\ttwo\n\n"), "one two");
  assert.equal(shownText("x".repeat(10), 4), "xxxx...");
  assert.equal(shownText("größe 端"), "größe 端");
});
