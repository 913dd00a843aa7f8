/**
 * Looking for names one does not know exactly: globs, and the names near to
 * a mistyped one. Works on the names' bytes: no string is made for a symbol
 * that does not match.
 *
 * @module
 */
import { EditDistance } from "../../base/edit_distance.ts";
import { codesOf, globMatches } from "../../base/glob.ts";
import { nameAt, type NameTable } from "./symbol_blob.ts";

/**
 * Names that match a glob (`*`, `?`, `[a-z]`, `[!a-z]`) in address order,
 * each once.
 */
export function globNames(blob: NameTable, glob: string): string[] {
  const pattern = codesOf(glob);
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
 * What the kernel's macros put before the name that people know (lock-free
 * variants): compared without it too.
 */
const WRAPPERS = ["__", "_", "do_"].map(codesOf);
/** What the functions of system calls have behind an architecture's prefix. */
const SYSCALL = codesOf("_sys_");
/** Longest prefix of an architecture, `__arm64`, in bytes. */
const MOST_PREFIX = 12;

/** A name and how far it is from the one asked for. */
interface Near {
  readonly name: string;
  readonly score: number;
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

/** Bytes of an architecture's prefix before `sys_`; 0: there is none. */
function syscallPrefix(names: Uint8Array, start: number, end: number): number {
  if (!startsWith(WRAPPERS[0], names, start, end)) return 0;
  const last = Math.min(end, start + MOST_PREFIX);
  let at = start + 2;
  while (at < last && names[at] !== 0x5f) at++;
  return startsWith(SYSCALL, names, at, end) ? at + 1 - start : 0;
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
 * distance, and those that contain it (`read` in `vfs_read`), where
 * whole words count more. Functions are preferred to data.
 */
export function nearSymbols(
  blob: NameTable,
  name: string,
  limit: number,
): Near[] {
  const query = codesOf(name);
  if (query.length === 0 || limit <= 0) return [];
  const distance = new EditDistance(query, true);
  const edits = Math.max(1, Math.min(4, Math.floor(query.length / 3)));
  const { names, starts, types } = blob;
  const best = new Map<string, number>();
  let worst = Infinity;
  for (let i = 0; i < blob.count; i++) {
    const start = starts[i];
    const end = starts[i + 1];
    let score = distance.to(names, start, end, edits);
    if (score > edits) score = Infinity;
    for (let w = -1; w < WRAPPERS.length; w++) {
      const length = w < 0
        ? syscallPrefix(names, start, end)
        : startsWith(WRAPPERS[w], names, start, end)
        ? WRAPPERS[w].length
        : 0;
      if (length === 0) continue;
      const bare = distance.to(names, start + length, end, edits);
      if (bare <= edits) score = Math.min(score, bare + 0.5 + (w + 1) / 16);
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
