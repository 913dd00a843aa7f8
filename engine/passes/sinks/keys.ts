/**
 * Group keys: the values by which sinks group events.
 *
 * @module
 */
import { shown } from "../../base/shown.ts";
import type { Access } from "../fields/access.ts";
import { valueAt } from "../fields/event_object.ts";
import type { Frame } from "../fields/frame.ts";
import type { SinkContext } from "./sink.ts";

/** The values of a group, in the order of the fields. */
export type Key = readonly (string | number | bigint)[];

/**
 * Maximum number of groups, and of bytes that their states take. The values of
 * fields are the guest's: each event may have its own.
 */
const MOST_GROUPS = 1 << 18;
const MOST_BYTES = 256 << 20;

/** Groups rows by the values of fields; each group has a state of type `T`. */
export class Groups<T> {
  /** Number of rows that would have needed more groups than are kept. */
  left = 0;
  readonly #most: number;
  readonly #rest: { key: Key; state: T };
  readonly #by: readonly (Access | undefined)[];
  readonly #make: () => T;
  #groups = new Map<string | number | bigint, { key: Key; state: T }>();
  /** Groups by the number that identifies a text within a batch. */
  #cache = new Map<number, { key: Key; state: T }>();

  /** @param bytes size of a state */
  constructor(
    by: readonly string[],
    context: SinkContext,
    make: () => T,
    bytes = 64,
  ) {
    this.#by = by.map((path) => context.access(path));
    this.#make = make;
    this.#most = Math.min(MOST_GROUPS, Math.floor(MOST_BYTES / bytes));
    this.#rest = { key: [], state: make() };
  }

  /** Says what was left out; `undefined` when nothing was. */
  get leftOut(): string | undefined {
    return this.left === 0
      ? undefined
      : `${this.left} events are left out: they belong to more than ${this.#most} groups`;
  }

  /** To be called before the rows of a batch are processed. */
  begin(): void {
    // These numbers are valid only within a batch.
    this.#cache.clear();
  }

  /** The state of the group to which the row belongs. */
  at(frame: Frame, row: number): T {
    const by = this.#by;
    const first = by[0];
    if (by.length === 1 && first?.shape === "text" && first.key !== undefined) {
      const number = first.key(frame, row);
      let group = this.#cache.get(number);
      if (group === undefined) {
        group = this.#group([first.at(frame, row) ?? ""]);
        if (group !== this.#rest) this.#cache.set(number, group);
      }
      return group.state;
    }
    const key: (string | number | bigint)[] = [];
    for (const access of by) {
      key.push(
        access === undefined ? "" : valueAt(access, frame, row) ?? "",
      );
    }
    return this.#group(key).state;
  }

  #group(key: Key): { key: Key; state: T } {
    const id = key.length === 1
      ? key[0]
      : key.map((part) => `${typeof part}${part}`).join("\0");
    let group = this.#groups.get(id);
    if (group === undefined) {
      if (this.#groups.size >= this.#most) {
        this.left++;
        return this.#rest;
      }
      group = { key, state: this.#make() };
      this.#groups.set(id, group);
    }
    return group;
  }

  /** All groups. */
  entries(): { key: Key; state: T }[] {
    return [...this.#groups.values()];
  }

  /** Removes all groups. */
  clear(): void {
    this.#groups = new Map();
    this.#cache.clear();
  }
}

/** A key as text, escaped: `sshd, 3`. */
export function keyText(key: Key): string {
  return key.map((part) =>
    typeof part === "bigint" ? `0x${part.toString(16)}` : shown(String(part))
  ).join(", ");
}

/**
 * Compares keys, to get an order that does not depend on the order of events.
 */
export function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length; i++) {
    const x = a[i];
    const y = b[i];
    if (x === y) continue;
    if (typeof x !== "string" && typeof y !== "string") return x < y ? -1 : 1;
    return String(x) < String(y) ? -1 : 1;
  }
  return 0;
}
