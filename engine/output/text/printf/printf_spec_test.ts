import assert from "node:assert/strict";
import { fieldSize, parseFormat, STAR } from "./printf_spec.ts";

/** The only conversion of a format, as far as it differs from `%d`. */
function spec(format: string) {
  const pieces = parseFormat(format);
  assert.equal(pieces.length, 1, format);
  const found = pieces[0].spec;
  assert.ok(found !== undefined, format);
  const plain = parseFormat("%d")[0].spec ?? {};
  return Object.fromEntries(
    Object.entries(found).filter(([name, value]) =>
      plain[name as keyof typeof plain] !== value
    ),
  );
}

const texts = (format: string) =>
  parseFormat(format).map(({ literal, spec }) => [literal, spec?.conversion]);

Deno.test("text between conversions, and percent signs", () => {
  assert.deepEqual(texts(""), []);
  assert.deepEqual(texts("no conversion"), [["no conversion", undefined]]);
  assert.deepEqual(texts("a=%d b=%s."), [
    ["a=", "d"],
    [" b=", "s"],
    [".", undefined],
  ]);
  assert.deepEqual(texts("%%%d%%"), [["%", "d"], ["%", undefined]]);
});

Deno.test("flags, width, precision and size", () => {
  assert.deepEqual(spec("%d"), {});
  assert.deepEqual(spec("%i"), {});
  assert.deepEqual(spec("%-+ #05d"), {
    left: true,
    plus: true,
    space: true,
    special: true,
    zeroPad: true,
    width: 5,
  });
  assert.deepEqual(spec("%*.*d"), { width: STAR, precision: STAR });
  assert.deepEqual(spec("%8.3d"), { width: 8, precision: 3 });
  // The kernel takes this as if there were no precision.
  assert.deepEqual(spec("%.d"), {});
  assert.deepEqual(spec("%.0d"), { precision: 0 });
  const sizes = ["hh", "h", "l", "ll", "z", "t", "L"].map((size) =>
    spec(`%${size}d`).size
  );
  assert.deepEqual(sizes, [1, 2, 8, 8, 8, 8, 8]);
});

Deno.test("the extension of a pointer reaches as far as letters and digits do", () => {
  assert.deepEqual(spec("%pS"), { conversion: "p", pointer: "S", size: 0 });
  const [first, second] = parseFormat("%pI4: %p");
  assert.deepEqual([first.spec?.pointer, second.literal], ["I4", ": "]);
  assert.equal(second.spec?.pointer, "");
});

Deno.test("nothing follows a conversion that the kernel does not have", () => {
  assert.deepEqual(texts("a %f b %d"), [["a ", "?"]]);
  assert.deepEqual(texts("50%"), [["50", "?"]]);
  assert.deepEqual(texts("%-"), [["", "?"]]);
  assert.deepEqual(texts("%ll"), [["", "?"]]);
});

Deno.test("no width or precision is so large that its text could not be held", () => {
  const digits = "9".repeat(40);
  assert.deepEqual(spec(`%${digits}.${digits}d`), {
    width: 32767,
    precision: 32767,
  });
  assert.deepEqual([0x7fffffff, -0x80000000, -5, 0, 7].map(fieldSize), [
    32767,
    -32767,
    -5,
    0,
    7,
  ]);
});
