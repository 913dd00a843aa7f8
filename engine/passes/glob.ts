/**
 * Globs over short texts: commands, file names, event names.
 *
 * @module
 */

/** Whether a text is a glob: whether it holds `*`, `?` or `[`. */
export function isGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/**
 * A glob as a regular expression over the whole text: `*` any characters, `?`
 * one, `[a-z]` one of a class, `[!a-z]` one outside it.
 */
export function globRegExp(glob: string): RegExp {
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i];
    const close = char === "[" ? glob.indexOf("]", i + 2) : -1;
    if (char === "*") source += "[^]*";
    else if (char === "?") source += "[^]";
    else if (close > 0) {
      const body = glob.slice(i + 1, close).replaceAll("\\", "\\\\");
      source += body.startsWith("!") ? `[^${body.slice(1)}]` : `[${body}]`;
      i = close;
    } else source += char.replace(/[\\^$.|+(){}[\]/]/g, "\\$&");
  }
  return new RegExp(`^${source}$`);
}

/**
 * The candidates nearest to a mistyped name, best first.
 *
 * @param limit how many at most; default 3
 */
export function nearNames(
  name: string,
  candidates: Iterable<string>,
  limit = 3,
): string[] {
  const wanted = name.toLowerCase();
  const most = Math.max(2, Math.floor(name.length / 3));
  const found: { name: string; far: number }[] = [];
  for (const candidate of candidates) {
    const text = candidate.toLowerCase();
    const far = text.includes(wanted) || wanted.includes(text)
      ? Math.min(most, Math.abs(text.length - wanted.length) / 4)
      : distance(wanted, text, most);
    if (far <= most) found.push({ name: candidate, far });
  }
  found.sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1));
  return [...new Set(found.map((each) => each.name))].slice(0, limit);
}

/** Edits from one text to the other, counted no further than `most`. */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + cost);
      if (next[j] < least) least = next[j];
    }
    if (least > most) return most + 1;
    row = next;
  }
  return row[b.length];
}

/** `: did you mean "a" or "b"?`, or nothing. */
export function didYouMean(names: readonly string[]): string {
  if (names.length === 0) return "";
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.pop();
  return `: did you mean ${
    quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`
  }?`;
}
