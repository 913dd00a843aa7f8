/**
 * The rule that an exported name is declared in one file only.
 *
 * @module
 */
import type { Violation } from "./rules.ts";

const EXPORTED =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let|enum) (\w+)/gm;

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
    for (const match of text.matchAll(EXPORTED)) {
      const [, name] = match;
      const before = text.slice(0, match.index);
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
