/**
 * Looking for names one does not know exactly: globs, and the names near to
 * a mistyped one. Works on the names' bytes: no string is made for a symbol
 * that does not match.
 *
 * @module
 */
import { nameAt, type NameTable } from "./symbol_blob.ts";

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;

function codes(text: string): Uint16Array {
  return Uint16Array.from(text, (c) => c.charCodeAt(0));
}

/** Index after the `]` of a class that opens at `at`, or -1. */
function classEnd(pattern: Uint16Array, at: number): number {
  const close = pattern.indexOf(0x5d, at + 2);
  return close < 0 ? -1 : close + 1;
}

/** Whether `code` is in the class `[...]` at `at`; `!` or `^` negate. */
function inClass(
  pattern: Uint16Array,
  at: number,
  end: number,
  code: number,
): boolean {
  let i = at + 1;
  const negated = pattern[i] === 0x21 || pattern[i] === 0x5e;
  if (negated) i++;
  for (; i < end - 1; i++) {
    let last = pattern[i];
    const first = last;
    if (pattern[i + 1] === 0x2d && i + 2 < end - 1) {
      last = pattern[i + 2];
      i += 2;
    }
    if (code >= first && code <= last) return !negated;
  }
  return negated;
}

function globMatches(
  pattern: Uint16Array,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  let p = 0;
  let n = start;
  let starAt = -1;
  let starName = 0;
  while (n < end || p < pattern.length) {
    if (p < pattern.length && pattern[p] === STAR) {
      starAt = p++;
      starName = n;
      continue;
    }
    if (p < pattern.length && n < end) {
      const close = pattern[p] === OPEN ? classEnd(pattern, p) : -1;
      if (close > 0) {
        if (inClass(pattern, p, close, names[n])) {
          p = close;
          n++;
          continue;
        }
      } else if (pattern[p] === QUESTION || pattern[p] === names[n]) {
        p++;
        n++;
        continue;
      }
    }
    // Dead end: let the last star swallow one character more.
    if (starAt < 0 || starName >= end) return false;
    p = starAt + 1;
    n = ++starName;
  }
  return true;
}

/**
 * Names that match a glob (`*`, `?`, `[a-z]`, `[!a-z]`) in address order,
 * each once.
 */
export function globNames(blob: NameTable, glob: string): string[] {
  const pattern = codes(glob);
  const found = new Set<string>();
  for (let i = 0; i < blob.count; i++) {
    if (globMatches(pattern, blob.names, blob.starts[i], blob.starts[i + 1])) {
      found.add(nameAt(blob, i));
    }
  }
  return [...found];
}

/** Prefixes of symbols that the compiler or linker made; never suggested. */
const MADE = /^(__pfx_|__cfi_|__ksymtab_|__kstrtab|__crc_|__compound_|\.L)/;

/**
 * What the kernel's macros put before the name that people know
 * (SYSCALL_DEFINE, lock-free variants): compared without it too.
 */
const WRAPPERS = ["__x64_", "__", "_", "do_"].map(codes);

/** A name and how far it is from the one asked for. */
interface Near {
  readonly name: string;
  readonly score: number;
}

/** Edit distance (insert, delete, replace, swap of neighbours), cut off. */
class Distance {
  readonly #query: Uint16Array;
  #before = new Int32Array(0);
  #last = new Int32Array(0);
  #row = new Int32Array(0);

  constructor(query: Uint16Array) {
    this.#query = query;
  }

  /** The distance to `names[start, end)`, or `limit + 1` when beyond. */
  to(names: Uint8Array, start: number, end: number, limit: number): number {
    const q = this.#query;
    const length = end - start;
    if (Math.abs(length - q.length) > limit) return limit + 1;
    if (this.#row.length <= length) {
      this.#before = new Int32Array(length + 64);
      this.#last = new Int32Array(length + 64);
      this.#row = new Int32Array(length + 64);
    }
    let before = this.#before;
    let last = this.#last;
    let row = this.#row;
    for (let j = 0; j <= length; j++) last[j] = j;
    for (let i = 1; i <= q.length; i++) {
      const from = Math.max(1, i - limit);
      const to = Math.min(length, i + limit);
      row[from - 1] = from === 1 ? i : limit + 1;
      let best = row[from - 1];
      for (let j = from; j <= to; j++) {
        const code = names[start + j - 1];
        let cost = last[j - 1] + (q[i - 1] === code ? 0 : 1);
        // Right of the band nothing was computed in the row above.
        if (j < i + limit && last[j] + 1 < cost) cost = last[j] + 1;
        if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
        if (
          i > 1 && j > 1 && q[i - 2] === code &&
          q[i - 1] === names[start + j - 2] && before[j - 2] + 1 < cost
        ) {
          cost = before[j - 2] + 1;
        }
        row[j] = cost;
        if (cost < best) best = cost;
      }
      if (best > limit) return limit + 1;
      const spare = before;
      before = last;
      last = row;
      row = spare;
    }
    return Math.min(last[length], limit + 1);
  }
}

/** Whether `names[start, end)` starts with `prefix`. */
function startsWith(
  prefix: Uint16Array,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start < prefix.length) return false;
  for (let k = 0; k < prefix.length; k++) {
    if (names[start + k] !== prefix[k]) return false;
  }
  return true;
}

/** Index in `names` at which `query` occurs within `[start, end)`, or -1. */
function indexWithin(
  query: Uint16Array,
  names: Uint8Array,
  start: number,
  end: number,
): number {
  const last = end - query.length;
  for (let at = start; at <= last; at++) {
    let k = 0;
    while (k < query.length && names[at + k] === query[k]) k++;
    if (k === query.length) return at;
  }
  return -1;
}

/**
 * Names that resemble `name`, best first, each once: those at a small edit
 * distance, and those that contain it (`sys_open` in `__x64_sys_open`), where
 * whole words count more. Functions are preferred to data.
 */
export function nearNames(
  blob: NameTable,
  name: string,
  limit: number,
): Near[] {
  const query = codes(name);
  if (query.length === 0 || limit <= 0) return [];
  const distance = new Distance(query);
  const edits = Math.max(1, Math.min(4, Math.floor(query.length / 3)));
  const { names, starts, types } = blob;
  const best = new Map<string, number>();
  let worst = Infinity;
  for (let i = 0; i < blob.count; i++) {
    const start = starts[i];
    const end = starts[i + 1];
    let score = distance.to(names, start, end, edits);
    if (score > edits) score = Infinity;
    for (let w = 0; w < WRAPPERS.length; w++) {
      const length = WRAPPERS[w].length;
      if (!startsWith(WRAPPERS[w], names, start, end)) continue;
      const bare = distance.to(names, start + length, end, edits);
      if (bare <= edits) score = Math.min(score, bare + 0.5 + w / 16);
    }
    if (score === Infinity) {
      if (query.length >= 3) {
        const at = indexWithin(query, names, start, end);
        if (at >= 0) {
          const word = at === start || names[at - 1] === 0x5f;
          const whole = at + query.length === end;
          const extra = end - start - query.length;
          score = 1.5 + extra / 8 + (whole ? 0 : 1) + (word ? 0 : 1);
        }
      }
    }
    if ((types[i] | 0x20) !== 0x74 && (types[i] | 0x20) !== 0x77) score += 1.5;
    if (score >= worst) continue;
    const found = nameAt(blob, i);
    if (MADE.test(found)) continue;
    const known = best.get(found);
    if (known === undefined || known > score) best.set(found, score);
    // Keep the candidates few, so that most symbols fail the line above.
    if (best.size > 8 * limit + 64) worst = cut(best, limit);
  }
  return [...best].map(([name, score]) => ({ name, score }))
    .sort((a, b) => a.score - b.score).slice(0, limit);
}

/** Drops all but the best `limit` candidates; returns the worst score left. */
function cut(best: Map<string, number>, limit: number): number {
  const sorted = [...best].sort((a, b) => a[1] - b[1]);
  for (const [name] of sorted.slice(limit)) best.delete(name);
  return sorted[Math.min(limit, sorted.length) - 1][1];
}
