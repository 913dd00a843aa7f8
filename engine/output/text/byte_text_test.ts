import assert from "node:assert/strict";
import fc from "fast-check";
import { byteChar, bytesText, textBytes } from "./byte_text.ts";

Deno.test("bytes are preserved next to any kind of text", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = Array.from(all, byteChar).join("");
  assert.deepEqual(textBytes(text), all);
  // A surrogate pair is text, even if its second half is in the range that
  // represents bytes.
  const pair = "\u{1f480}";
  assert.equal(pair.charCodeAt(1), 0xdc80);
  assert.deepEqual(
    textBytes(`é${pair}${byteChar(0xff)}${byteChar(0x80)}z`),
    Uint8Array.of(0xc3, 0xa9, 0xf0, 0x9f, 0x92, 0x80, 0xff, 0x80, 0x7a),
  );
  assert.deepEqual(textBytes(""), new Uint8Array(0));
});

Deno.test("any bytes can be represented as text and restored", () => {
  const cases = [
    [],
    [0xef, 0xbb, 0xbf, 0x41],
    [0x68, 0xc3, 0xa9, 0xff, 0x78],
    [0xc3],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x92, 0x80, 0x80, 0xf0, 0x9f, 0x92],
    // A surrogate encoded in UTF-8 is not valid.
    [0xed, 0xb2, 0x80],
    Array.from({ length: 256 }, (_, i) => 255 - i),
  ];
  for (const bytes of cases) {
    const array = Uint8Array.from(bytes);
    assert.deepEqual(textBytes(bytesText(array)), array);
  }
  assert.equal(bytesText(Uint8Array.of(0x68, 0xc3, 0xa9, 0xff)), "hé\udcff");
});

/** What the decoder of the platform finds at a place: a character, or a byte. */
function decodedBySteps(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length;) {
    let found: string | undefined;
    let length = 1;
    for (; length <= 4 && found === undefined; length++) {
      try {
        found = decoder.decode(bytes.subarray(at, at + length));
      } catch {
        // No character of this length.
      }
    }
    text += found ?? byteChar(bytes[at]);
    at += found === undefined ? 1 : length - 1;
  }
  return text;
}

Deno.test("each byte that is not of a character is represented, no other", () => {
  const edges = [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2];
  const leads = [0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff];
  const byte = fc.oneof(fc.constantFrom(...edges, ...leads), fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (all) => {
      const bytes = Uint8Array.from(all);
      const text = bytesText(bytes);
      assert.equal(text, decodedBySteps(bytes));
      assert.deepEqual(textBytes(text), bytes);
    }),
    { numRuns: 5000, seed: 1 },
  );
});
