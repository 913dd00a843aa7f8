/**
 * Text in columns of a terminal.
 *
 * @module
 */
import stringWidth from "string-width";

const ASCII = /^[\x20-\x7e]*$/;
const letters = new Intl.Segmenter();
const CUT = "…";

/** The columns of a terminal that a text without control characters takes. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** A text in exactly so many columns: cut, or filled up with spaces. */
export function fit(text: string, width: number): string {
  const own = widthOf(text);
  if (own <= width) return text + " ".repeat(width - own);
  if (width <= 0) return "";
  if (ASCII.test(text)) return text.slice(0, width - 1) + CUT;
  let cut = "";
  let used = 0;
  for (const { segment } of letters.segment(text)) {
    const more = stringWidth(segment);
    if (used + more > width - 1) break;
    cut += segment;
    used += more;
  }
  return cut + CUT + " ".repeat(width - 1 - used);
}

/** A text at the right edge of so many columns. */
export function fitRight(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) +
    (widthOf(text) > width ? fit(text, width) : text);
}

const BARS = "▁▂▃▄▅▆▇█";

/**
 * Numbers as a line of bars, the last ones at the right edge of so many columns;
 * a space where there is none.
 */
export function sparkline(values: readonly number[], width: number): string {
  const last = values.slice(-width);
  const most = last.reduce((most, value) => Math.max(most, value), 0);
  const bars = last.map((value) =>
    value > 0
      ? BARS[Math.min(BARS.length - 1, Math.floor(BARS.length * value / most))]
      : " "
  );
  return bars.join("").padStart(width);
}

/** A number in at most nine columns: `1,234,567`, `12.3G`. */
export function shortCount(value: number): string {
  if (value < 1e8) return Math.round(value).toLocaleString("en-US");
  const [unit, size] = value < 1e11
    ? ["M", 1e6]
    : value < 1e14
    ? ["G", 1e9]
    : ["T", 1e12];
  return `${Math.round(value / size).toLocaleString("en-US")}${unit}`;
}

/** A number a second in at most seven columns: `0.5`, `1,234`. */
export function shortRate(value: number): string {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : shortCount(value);
}
