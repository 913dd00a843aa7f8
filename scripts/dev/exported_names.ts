/**
 * Names that files export: each is to mean one thing.
 *
 * @module
 */
import type { Violation } from "./rules.ts";

const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let|enum) (\w+)/gm;

/**
 * Whether a file's names are to be its own. The lab is a program apart, and
 * each architecture exports the parts of `Arch` under the same names.
 */
export function isNamed(path: string): boolean {
  return /^(?:(?:engine|dsl|ffi|scripts)\/|(?:mod|live)\.ts$)/.test(path) &&
    !/^engine\/arch\/[^/]+\//.test(path);
}

/**
 * Exported names that two files declare; re-exports are none.
 *
 * @param texts of files, by path
 */
export function doubleNames(texts: ReadonlyMap<string, string>): Violation[] {
  const first = new Map<string, string>();
  const found: Violation[] = [];
  for (const [path, text] of texts) {
    // A name may be overloaded, or be a value and a type.
    const here = new Set<string>();
    for (const match of text.matchAll(EXPORTED)) {
      const [, name] = match;
      const before = text.slice(0, match.index);
      // In a template: code that is written for elsewhere.
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
