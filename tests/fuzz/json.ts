/**
 * Changes of JSON: values of other types and sizes, members missing, repeated
 * and nested.
 *
 * @module
 */
import type { Random } from "../random.ts";
import { decoded, encoded, mutateText } from "./texts.ts";

type Json =
  | null
  | boolean
  | number
  | string
  | Json[]
  | { [name: string]: Json };

/** The longest text whose values are changed, in characters. */
const MOST_PARSED = 1 << 18;

/** Changes one value of a JSON text, or its text when it is none. */
export function mutateJson(
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
): Uint8Array<ArrayBuffer> {
  const text = decoded(bytes);
  // Parsing a million brackets takes this process gigabytes.
  if (text.length > MOST_PARSED) return encoded(mutateText(text, random));
  let root: Json;
  try {
    root = JSON.parse(text);
  } catch {
    return encoded(mutateText(text, random));
  }
  if (random.next(8) === 0) return encoded(mutateText(text, random));
  for (let times = 1 + random.next(3); times > 0; times--) {
    root = changed(root, random, 0);
  }
  return encoded(JSON.stringify(root));
}

/** A value with one change in it, or another value. */
function changed(value: Json, random: Random, depth: number): Json {
  const inside = typeof value === "object" && value !== null;
  if (!inside || (random.next(6) === 0 && depth > 0)) {
    return hostileValue(value, random);
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return [hostileValue(0, random)];
    const at = random.next(value.length);
    switch (random.next(5)) {
      case 0:
        return value.toSpliced(at, 1);
      case 1:
        return value.toSpliced(
          at,
          0,
          ...Array(1 + random.next(random.pick([4, 4, 200]))).fill(value[at]),
        );
      default:
        return value.with(at, changed(value[at], random, depth + 1));
    }
  }
  const names = Object.keys(value);
  if (names.length === 0) return { a: hostileValue(0, random) };
  const name = random.pick(names);
  const copy = Object.fromEntries(Object.entries(value));
  switch (random.next(6)) {
    case 0:
      delete copy[name];
      return copy;
    case 1:
      return JSON.parse(
        `{${
          JSON.stringify(random.pick(["__proto__", "constructor", "", "x"]))
        }:${JSON.stringify(copy[name])},${JSON.stringify(copy).slice(1)}`,
      );
    default:
      copy[name] = changed(copy[name], random, depth + 1);
      return copy;
  }
}

function hostileValue(value: Json, random: Random): Json {
  if (typeof value === "string" && random.next(2) === 0) {
    return mutateText(value, random);
  }
  if (typeof value === "number" && random.next(2) === 0) {
    return random.pick([value + 1, value - 1, -value, value * 2 ** 32]);
  }
  let nested: Json = value;
  switch (random.next(12)) {
    case 0:
      return null;
    case 1:
      return -1;
    case 2:
      return 2 ** 53;
    case 3:
      return 1e308;
    case 4:
      return 0.5;
    case 5:
      return "";
    case 6:
      return "x".repeat(random.next(random.pick([300, 300, 300, 70_000])));
    case 7:
      return [];
    case 8:
      return {};
    case 9:
      return random.next(2) === 0;
    case 10:
      for (let i = 0; i < 500; i++) nested = [nested];
      return nested;
    default:
      return "0x" + "f".repeat(1 + random.next(40));
  }
}
