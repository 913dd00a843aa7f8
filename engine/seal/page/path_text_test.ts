import assert from "node:assert/strict";
import { PATH_BYTES } from "./abi.ts";
import { PathText } from "./path_text.ts";

/** A path as the module sends it. */
function joined(path: string): string {
  const bytes = new TextEncoder().encode(`${path}\0`);
  const text = new PathText();
  for (let at = 0; at < bytes.length; at += PATH_BYTES) {
    const piece = new Uint8Array(PATH_BYTES);
    piece.set(bytes.subarray(at, at + PATH_BYTES));
    text.add(piece);
  }
  return text.text;
}

Deno.test("a path is joined, wherever its characters are split", () => {
  for (let length = 0; length < 70; length++) {
    const path = `/${"a".repeat(length)}é€😀/x`;
    assert.equal(joined(path), path);
  }
});

Deno.test("a path that was cut off within a character ends before it", () => {
  const text = new PathText();
  const piece = new Uint8Array(PATH_BYTES).fill(97);
  piece[PATH_BYTES - 1] = 0xc3;
  text.add(piece);
  assert.equal(text.text, "a".repeat(PATH_BYTES - 1));
});

Deno.test("bytes that are not UTF-8 show as U+FFFD", () => {
  const text = new PathText();
  text.add(Uint8Array.of(47, 0xff, 47, 0, 120));
  assert.equal(text.text, "/\ufffd/");
});
