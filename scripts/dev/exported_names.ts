/**
 * The rule that an exported name is declared in one file only.
 *
 * @module
 */
import { type Violation, withoutComment } from "./rules.ts";

const DECLARED = String
  .raw`(?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const enum|const|let|var|enum|namespace)`;
const EXPORTED = new RegExp(String.raw`^export ${DECLARED} (\w+)`, "gm");
/** What a file exports apart from its declaration: `export { a, b as c };`. */
const EXPORTED_APART = /^export (?:type )?\{([^}]*)\}(?!\s*from\b)/gm;

/**
 * Whether the rule applies to a file. Not to the lab, a program of its own, nor
 * to architectures, which all export the parts of `Arch` under the same names.
 */
export function isNamed(path: string): boolean {
  return /^(?:(?:engine|dsl|ffi|scripts)\/|(?:mod|live)\.ts$)/.test(path) &&
    !/^engine\/arch\/[^/]+\//.test(path);
}

/**
 * Exported names that two files declare; re-exports do not count.
 *
 * @param texts texts of the files, by path
 */
export function doubleNames(texts: ReadonlyMap<string, string>): Violation[] {
  const first = new Map<string, string>();
  const found: Violation[] = [];
  for (const [path, text] of texts) {
    // In one file a name may be overloaded, or be both a value and a type.
    const here = new Set<string>();
    for (const { name, index } of exportsOf(text)) {
      const before = withoutComments(text.slice(0, index));
      // Inside a template string: code that is generated for elsewhere.
      if (before.split("`").length % 2 === 0 || here.has(name)) continue;
      here.add(name);
      const other = first.get(name);
      if (other === undefined) {
        first.set(name, path);
        continue;
      }
      found.push({
        path,
        line: before.split("\n").length,
        rule: `${other} exports another ${name}: a name means one thing`,
      });
    }
  }
  return found;
}

/** The names that a file declares and exports, with their places. */
function* exportsOf(text: string): Generator<{ name: string; index: number }> {
  for (const { 1: name, index } of text.matchAll(EXPORTED)) {
    yield { name, index };
  }
  for (const { 1: names, index } of text.matchAll(EXPORTED_APART)) {
    for (
      const [, own, as] of names.matchAll(/(\w+)(?: as (\w+))?\s*(?:,|$)/g)
    ) {
      // Otherwise it is imported: a re-export.
      const declared = new RegExp(`^${DECLARED} ${own}\\b`, "m").test(text);
      if (declared) yield { name: as ?? own, index };
    }
  }
}

/** The text with its comments emptied, in as many lines. */
function withoutComments(text: string): string {
  return text.split("\n").map(withoutComment).join("\n");
}
