/**
 * Durations and sizes with their units.
 *
 * @module
 */
import { CompileError, here } from "./errors.ts";

/** Units of durations. */
export type DurationUnit = "ns" | "us" | "ms" | "s" | "m" | "h";

/** A duration: `"100us"`, `"1.5 ms"`; a bare number counts ns. */
export type Duration = `${number}${DurationUnit}` | `${number} ${DurationUnit}`;

/** Units of sizes; KB is 1000 bytes, KiB 1024. */
export type SizeUnit =
  | "B"
  | "KB"
  | "MB"
  | "GB"
  | "KiB"
  | "MiB"
  | "GiB";

/** A size: `"4KiB"`, `"1 MB"`; a bare number counts bytes. */
export type Size = `${number}${SizeUnit}` | `${number} ${SizeUnit}`;

const DURATIONS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1048576,
  GiB: 1073741824,
};

function parse(
  text: string,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]+)\s*$/.exec(text);
  const unit = match === null ? undefined : units[match[2]];
  if (match === null || unit === undefined) return undefined;
  return Math.round(Number(match[1]) * unit);
}

/** Parses a duration to ns; `undefined` when the text is not one. */
export function tryDuration(text: string): number | undefined {
  return parse(text, DURATIONS);
}

/** Parses a size to bytes; `undefined` when the text is not one. */
export function trySize(text: string): number | undefined {
  return parse(text, SIZES);
}

/**
 * Converts a duration to ns.
 *
 * @throws {CompileError} when it is not one.
 */
export function durationNs(value: Duration | number): number {
  const ns = typeof value === "number" ? value : tryDuration(value);
  if (ns !== undefined && ns >= 0) return ns;
  throw new CompileError(
    `"${value}" is no duration: write a number and a unit, one of ${
      Object.keys(DURATIONS).join(", ")
    }, as in "100us"`,
    here(),
  );
}

/**
 * Converts a size to bytes.
 *
 * @throws {CompileError} when it is not one.
 */
export function sizeBytes(value: Size | number): number {
  const bytes = typeof value === "number" ? value : trySize(value);
  if (bytes !== undefined) return bytes;
  throw new CompileError(
    `"${value}" is no size: write a number and a unit, one of ${
      Object.keys(SIZES).join(", ")
    }, as in "4KiB"`,
    here(),
  );
}

/**
 * Checks that a text, such as a flag's value, is a duration.
 *
 * @throws {CompileError} when it is not one.
 *
 * @example
 * ```ts
 * import { asDuration, sys_openat, trace } from "xftrace";
 *
 * const [howLong = "5s"] = Deno.args;
 * const calls = trace(sys_openat).until(asDuration(howLong));
 * ```
 */
export function asDuration(text: string): Duration {
  durationNs(text as Duration);
  return text as Duration;
}
