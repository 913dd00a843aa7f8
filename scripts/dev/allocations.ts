/**
 * The rule that what a guest or a file says is large is allocated by
 * engine/base/allocate.ts alone. Pure.
 *
 * In the rooms that read guests and files, the size of every typed array,
 * buffer, list of `Array.from({ length })` and repeated or padded text that is
 * made elsewhere must be one that nobody else decides:
 *
 * - constant: numbers and names in capitals (`2 * CHUNK`, `ELF.headerSize`);
 * - as large as something that is held already (`text.length`), or a multiple.
 *
 * A view of a buffer (`new Uint32Array(bytes.buffer)`) allocates nothing. A copy
 * is made by `Uint8Array.from(bytes)` or `bytes.slice()`: whether the `bytes` of
 * `new Uint8Array(bytes)` are an array or a number cannot be seen.
 *
 * @module
 */
import { isCode, isForTests, type Violation, withoutComment } from "./rules.ts";

/** The rooms that read guests, and files that others may have made. */
const ROOMS =
  /^(?:ffi|engine\/(?:base\/host_file|memory|arch|kernel|targets|agent|ftrace|seal|control|detect|install|snapshot))\//;

/** Files whose own growth decides how much they allocate, and why it ends. */
export const OWN_GROWTH: Readonly<Record<string, string>> = {
  "engine/control/plan_text.ts": "padded to the longest cell of a table",
  "engine/detect/checks/xf009_call_sites.ts":
    "as long as a call site of the architecture",
  "engine/ftrace/ring/columns.ts":
    "doubled for the rows of a page that was read; its pages have 4 GiB at most",
  "engine/ftrace/ring/merge.ts": "as many as there are rows, and 16-bit CPUs",
  "engine/ftrace/ring/page_set.ts": "as many as the pages that were listed",
  "engine/ftrace/ring/spool_writer.ts": "doubled for what was decoded",
};

/** A call or constructor that allocates as much as its first argument says. */
const ALLOCATES = new RegExp(
  [
    /\bnew (?:(?:Ui|I)nt(?:8|16|32)|Uint8Clamped|Float(?:16|32|64)|Big(?:Ui|I)nt64)Array(?:<[^<>()]*>)?\(/,
    /\bnew (?:Shared)?ArrayBuffer\(/,
    /(?<![.\w])Array(?:<[^<>()]*>)?\(/,
    /\bArray\.from(?:<[^<>()]*>)?\(\s*\{\s*(?=length\b)/,
    /\bBuffer\.alloc\w*\(/,
    /\.(?:repeat|padStart|padEnd)\(/,
  ].map(({ source }) => source).join("|"),
  "g",
);

/** Sizes that nobody else decides. */
const FIXED = new RegExp(
  `^(?:${
    [
      /\s|[-+*/%(),]|<<|>>>?/,
      /\b(?:0x[\da-fA-F_]+|\d[\d_]*)\b/,
      /\b[A-Z][A-Z\d_]*\b(?:\.\w+)*/,
      // A Math.min of only such sizes is one itself.
      /\bMath\.(?:min|max|ceil|floor)\b/,
      /(?:\bthis\.)?#?\b[a-z]\w*(?:\.#?\w+)*\.length\b(?!\()/,
    ].map(({ source }) => source).join("|")
  })*$`,
);

/** A view of a buffer, or the elements themselves. */
const NO_SIZE = /(?:^|\.)buffer$|^(?:\[|["'`]|new (?:Shared)?ArrayBuffer\()/;

/** The places at which a file allocates past the allocator. */
export function brokenByAllocation(path: string, text: string): Violation[] {
  if (
    !isCode(path) || isForTests(path) || !ROOMS.test(path) ||
    OWN_GROWTH[path] !== undefined
  ) return [];
  const code = text.split("\n").map(withoutComment).join("\n");
  const found: Violation[] = [];
  for (const match of code.matchAll(ALLOCATES)) {
    const size = firstArgument(code, match.index + match[0].length);
    if (NO_SIZE.test(size) || FIXED.test(size)) continue;
    found.push({
      path,
      line: code.slice(0, match.index).split("\n").length,
      rule:
        `allocates as much as ${size} says: allocate it with engine/base/allocate.ts, with the most that makes sense`,
    });
  }
  return found;
}

/** The text up to the comma or bracket that ends an argument. */
function firstArgument(code: string, from: number): string {
  let depth = 0;
  let at = from;
  for (; at < code.length; at++) {
    const char = code[at];
    if ("([{".includes(char)) depth++;
    else if (")]}".includes(char) && depth-- === 0) break;
    else if (char === "," && depth === 0) break;
  }
  return code.slice(from, at).replace(/\s+/g, " ").trim()
    .replace(/^length: /, "");
}
