/**
 * Formats values for people.
 *
 * @module
 */
import type { FieldKind } from "../../query/expression.ts";

/**
 * A duration in a suitable unit: `12.3 us`, `4.56 ms`.
 *
 * @param ns the duration in ns; NaN gives `?`
 *
 * @example
 * ```ts
 * import { durationText } from "xftrace";
 *
 * console.log(durationText(4_560_000)); // 4.56 ms
 * ```
 */
export function durationText(ns: number): string {
  if (!(ns === ns)) return "?";
  const size = Math.abs(ns);
  if (size < 1000) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${digits(ns / 1e3)} us`;
  if (size < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** The value of a field as text. */
export function valueText(
  value: unknown,
  kind: FieldKind | undefined,
): string {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (typeof value === "number" && kind === "duration") {
    return durationText(value);
  }
  return String(value);
}
