import assert from "node:assert/strict";
import {
  shown,
  shownJson,
  shownLines,
  shownMembers,
  shownText,
} from "./shown.ts";

Deno.test("control characters are shown as escapes", () => {
  assert.equal(
    shownText("a\x1b[31mred\x07 \u009b2J\u202eevil\u2069"),
    "a\\x1b[31mred\\x07 \\x9b2J\\u{202e}evil\\u{2069}",
  );
  assert.equal(shownText("half \ud800 pair"), "half \\u{d800} pair");
});

Deno.test("letters from right to left cannot exchange what is behind them", () => {
  assert.equal(shown("\u05d0 7 forged 0"), "\\u{5d0} 7 forged 0");
  assert.equal(shownLines("\u0627\t1\n"), "\\u{627}\t1\n");
  assert.equal(shownJson('"\u{1e900}"'), '"\\ud83a\\udd00"');
  assert.equal(shown("a\u3164\u115fb"), "a\\u{3164}\\u{115f}b");
  assert.equal(shown("größe 端 Ω ж"), "größe 端 Ω ж");
});

Deno.test("a text becomes one line of bounded length", () => {
  assert.equal(shownText("  one\r\n\ttwo\n\n"), "one two");
  assert.equal(shownText("x".repeat(10), 4), "xxxx...");
  assert.equal(shownText("größe 端"), "größe 端");
});

Deno.test("no character that is not shown is left, whichever it is", () => {
  for (let code = 0; code < 0x11_0000; code++) {
    const text = String.fromCodePoint(code);
    const one = shown(text);
    const control = code < 0x20 || code >= 0x7f && code < 0xa0 ||
      code === 0x2028 || code === 0x2029 ||
      code >= 0x202a && code <= 0x202e || code >= 0x2066 && code <= 0x2069 ||
      code >= 0xd800 && code <= 0xdfff ||
      // Letters from right to left, and fillers that have a width of nothing.
      /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}\p{Default_Ignorable_Code_Point}]/u
        .test(text);
    if (control) assert.match(one, /^\\(?:x[0-9a-f]{2}|u\{[0-9a-f]+\})$/);
    if (one === text) assert.ok(!control);
    const json = shownJson(JSON.stringify(text));
    assert.equal(JSON.parse(json), text);
    if (control) assert.match(json, /^"[\x20-\x7e]*"$/);
  }
});

Deno.test("a byte that is not UTF-8 is shown as the byte", () => {
  assert.equal(shown("a\udc9bb"), "a\\x9bb");
});

Deno.test("in lines of ours, line ends and tabs are left", () => {
  assert.equal(shownLines("one\ttwo\n\x1b\r\n"), "one\ttwo\n\\x1b\\x0d\n");
  assert.equal(shown("one\ttwo\n"), "one\\x09two\\x0a");
});

Deno.test("JSON is what it was for who reads it, and its lines are left", () => {
  const value = { a: "\x9b\x7f\u202e\u2028\n", tag: "\u{e0041}" };
  const json = shownJson(JSON.stringify(value, null, 2));
  assert.deepEqual(JSON.parse(json), value);
  assert.match(json, /^[\n\x20-\x7e]*$/);
  assert.equal(json.split("\n").length, 4);
});

Deno.test("of an object, the texts are changed and all else is left", () => {
  const value = { text: "a\n", number: 1, list: ["b\n"] };
  assert.deepEqual(shownMembers(value), { ...value, text: "a\\x0a" });
});
