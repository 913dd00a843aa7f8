import assert from "node:assert/strict";
import fc from "fast-check";
import { byteChar, textBytes } from "../byte_text.ts";
import { KeptTexts } from "./kept_texts.ts";
import { packed, TextBuffer } from "./text_buffer.ts";

/** What is written, and the same as a string. */
type Step = readonly [
  what: string,
  write: (out: TextBuffer) => void,
  text: string,
];

const half = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1f_ffff),
);
const wide = ([lo, hi]: readonly [number, number]) =>
  BigInt(hi) << 32n | BigInt(lo);
const halves = fc.tuple(half, half);
/** Texts with any characters, also those that stand for bytes. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) =>
    Array.from(bytes, byteChar).join("")
  ),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  text.map((t): Step => ["text", (out) => out.text(t), t]),
  text.map((t): Step => {
    const texts = new KeptTexts();
    texts.add("something before");
    const place = texts.add(t);
    texts.add("something behind");
    return ["kept", (out) => out.kept(texts, place), t];
  }),
  fc.oneof(
    fc.maxSafeInteger(),
    fc.integer({ min: -2000, max: 2000 }),
    fc.constantFrom(2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64),
  ).map((n): Step => ["decimal", (out) => out.decimal(n), String(n)]),
  halves.map((n): Step => [
    "decimal64",
    (out) => out.decimal64(...n),
    String(wide(n)),
  ]),
  halves.map((n): Step => [
    "signed64",
    (out) => out.signed64(...n),
    String(BigInt.asIntN(64, wide(n))),
  ]),
  halves.map((n): Step => [
    "hex64",
    (out) => out.hex64(...n),
    wide(n).toString(16),
  ]),
  fc.nat(999_999).map((n): Step => [
    "six",
    (out) => out.six(n),
    String(n).padStart(6, "0"),
  ]),
  fc.nat(999).map((n): Step => [
    "three",
    (out) => out.three(n),
    String(n).padStart(3, "0"),
  ]),
  fc.integer({ min: -3, max: 300 }).map((n): Step => [
    "spaces",
    (out) => out.spaces(n),
    " ".repeat(Math.max(0, n)),
  ]),
  fc.tuple(fc.nat(100_000), fc.nat(100)).map(([n, width]): Step => [
    "filled",
    (out) => {
      const start = out.length;
      out.decimal(n);
      out.filled(start, width, 0x30);
    },
    String(n).padStart(width, "0"),
  ]),
  fc.constantFrom<Step>(
    ["char", (out) => out.char(0x41), "A"],
    ["pair", (out) => out.pair(packed("xy")), "xy"],
    ["four", (out) => out.four(packed("four")), "four"],
  ),
);

Deno.test("what is written is the bytes of the same strings", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.nat(64),
      (steps, capacity) => {
        const out = new TextBuffer(capacity);
        // A text after each: it is written over what a piece left behind it.
        for (const [, write] of steps) {
          write(out);
          out.char(0x7c);
        }
        // By step, since a surrogate at the end of one and one at the
        // beginning of the next are no pair.
        const expected = steps.flatMap(([, , each]) => [
          ...textBytes(each),
          0x7c,
        ]);
        assert.deepEqual([...out.written], expected);
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});

Deno.test("a text in memory ends at its NUL, or where it must", () => {
  const out = new TextBuffer(1);
  const from = new TextEncoder().encode("xab\0cd");
  out.upToNul(from, 1, 6);
  out.upToNul(from, 4, 6);
  out.upToNul(from, 4, 2);
  out.upToNul(from, 3, 6);
  assert.equal(new TextDecoder().decode(out.written), "abcd");
});

Deno.test("the room of a long text is given up with it", () => {
  const out = new TextBuffer();
  out.text("x".repeat(3 << 20));
  assert.ok(out.bytes.length > 3 << 20);
  const { written } = out;
  out.clear();
  assert.ok(out.bytes.length < 1 << 16);
  out.text("y");
  // What is being passed on is not written over meanwhile.
  assert.equal(written[0], 0x78);
  assert.equal(written.length, 3 << 20);
});
