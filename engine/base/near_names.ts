/**
 * Suggestions for a name that does not exist.
 *
 * @module
 */
import { EditDistance } from "./edit_distance.ts";
import { codesOf } from "./glob.ts";

/**
 * The candidates nearest to a mistyped name, best first.
 *
 * @param limit maximum number of names; default 3
 */
export function nearNames(
  name: string,
  candidates: Iterable<string>,
  limit = 3,
): string[] {
  const wanted = name.toLowerCase();
  const edits = new EditDistance(codesOf(wanted));
  const most = Math.max(2, Math.floor(name.length / 3));
  const found: { name: string; far: number }[] = [];
  for (const candidate of candidates) {
    const text = candidate.toLowerCase();
    // A name of a few letters is in very many others.
    const within = wanted.includes(text) && 2 * text.length >= wanted.length;
    const far = text.includes(wanted) || within
      ? Math.min(most, Math.abs(text.length - wanted.length) / 4)
      : edits.to(codesOf(text), 0, text.length, most);
    if (far <= most) found.push({ name: candidate, far });
  }
  found.sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1));
  return [...new Set(found.map((each) => each.name))].slice(0, limit);
}

/** The text `: did you mean "a" or "b"?`, or an empty string. */
export function didYouMean(names: readonly string[]): string {
  if (names.length === 0) return "";
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.pop();
  return `: did you mean ${
    quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`
  }?`;
}
