/**
 * Static calls that lead to the same code, by their key: whoever changes the key
 * changes each of its calls, often hundreds, and that is one thing.
 *
 * @module
 */
import type { CodeMap } from "../reading/code_map.ts";

/** What the kernel puts before the name of a static call in its key's symbol. */
const KEY = "__SCK__";
/** How many places are named. */
const NAMED = 3;

/** Calls of one key that lead to one place. */
export interface CallsOfKey {
  /** GVA of the `struct static_call_key`. */
  readonly key: bigint;
  /** GVA of the code that they reach. */
  readonly target: bigint;
  /** GVAs of the calls; at least one. */
  readonly calls: readonly bigint[];
}

/** Collects static calls by key and target. */
export class KeyedCalls {
  readonly #groups = new Map<string, CallsOfKey & { calls: bigint[] }>();

  /** Adds a call. */
  add(key: bigint, target: bigint, call: bigint): void {
    const id = `${key} ${target}`;
    const group = this.#groups.get(id);
    if (group === undefined) {
      this.#groups.set(id, { key, target, calls: [call] });
    } else group.calls.push(call);
  }

  /** All that were added, in that order. */
  get groups(): readonly CallsOfKey[] {
    return [...this.#groups.values()];
  }
}

/** The name of a static call, as the kernel's source has it. */
export function staticCallName(code: CodeMap, key: bigint): string {
  const name = code.nameOf(key);
  return name.startsWith(KEY) ? name.slice(KEY.length) : name;
}

/** The places of calls in words: `at f+0x4, g+0x10 and 453 more`. */
export function callPlaces(code: CodeMap, calls: readonly bigint[]): string {
  const named = calls.slice(0, NAMED).map((gva) => code.at(gva).name);
  const more = calls.length - named.length;
  return `at ${named.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}
