import assert from "node:assert/strict";
import {
  fit,
  fitRight,
  shortCount,
  shortRate,
  sparkline,
  widthOf,
} from "./fit.ts";

Deno.test("texts take exactly as many columns as they may", () => {
  assert.equal(fit("abc", 5), "abc  ");
  assert.equal(fit("abcdef", 5), "abcd…");
  assert.equal(fit("abcdef", 0), "");
  // Two columns each; half of one cannot be shown.
  assert.equal(fit("漢字漢字", 5), "漢字…");
  assert.equal(fit("漢字漢字", 6), "漢字… ");
  assert.equal(widthOf(fit("e\u0301e\u0301e\u0301", 2)), 2);
  assert.equal(fitRight("12", 4), "  12");
  assert.equal(fitRight("12345", 4), "123…");
});

Deno.test("bars: none where there is nothing, the newest at the right", () => {
  assert.equal(sparkline([0, 1, 8, 0, 4], 7), "   ▂█ ▅");
  assert.equal(sparkline([1, 2, 8], 2), "▃█");
  assert.equal(sparkline([], 3), "   ");
  assert.equal(sparkline([0, 0], 3), "   ");
});

Deno.test("numbers keep to their columns, however large", () => {
  for (const value of [0, 9, 1e3, 99_999_999, 1e8, 1e11, 1e14, 9e15]) {
    assert.ok(shortCount(value).length <= 10, shortCount(value));
  }
  assert.equal(shortCount(1_234_567), "1,234,567");
  assert.equal(shortCount(123_456_789), "123M");
  assert.equal(shortRate(0), "0");
  assert.equal(shortRate(0.25), "0.3");
  assert.equal(shortRate(12.4), "12");
});
