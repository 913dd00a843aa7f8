/**
 * Texts on the page. What a guest supplies is only ever shown as text.
 *
 * @module
 */
import { shown } from "../engine/base/shown.ts";

/** A number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A time in a unit that fits: `1.25 ms`. */
export function duration(ns: number, unit = "ns"): string {
  if (unit !== "ns") return `${count(Math.round(ns))} ${unit}`;
  for (const [size, name] of UNITS) {
    if (Math.abs(ns) >= size) return `${digits(ns / size)} ${name}`;
  }
  return `${digits(ns)} ns`;
}

const UNITS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]] as const;

function digits(value: number): string {
  if (Number.isInteger(value) && value < 1000) return String(value);
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
    ? value.toFixed(1)
    : value.toFixed(2);
}

/** A time since the start of the trace: `0.001 250 s`. */
export function moment(ns: number, unit: string): string {
  return unit === "ns" ? (ns / 1e9).toFixed(6) : String(Math.round(ns));
}

/** A share of a whole: `12.5 %`. */
export function share(part: number, whole: number): string {
  return whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "-";
}

/** Fields as JSON in the form in which the kernel prints them: `fd=3 ...`. */
export function fieldsText(json: string): string {
  if (json === "") return "";
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return shown(json);
  }
  if (typeof value !== "object" || value === null) return shown(String(value));
  return Object.entries(value).map(([name, each]) =>
    `${shown(name)}=${fieldText(each)}`
  ).join(" ");
}

function fieldText(value: unknown): string {
  if (typeof value !== "string") return shown(JSON.stringify(value) ?? "");
  // An address or a name needs no quotation marks.
  return /^[\w.:/+-]+$/.test(value) ? value : `"${shown(value)}"`;
}

/** The module in a function's name, if it is a module's. */
export function moduleOf(name: string): string | undefined {
  return /\[([^\]]*)\]$/.exec(name)?.[1];
}

export { shown };
