/**
 * Lists of names within a sentence.
 *
 * @module
 */

/** Names separated by commas; at most `most`, then how many more there are. */
export function listed(names: readonly string[], most = 4): string {
  return names.length <= most + 1
    ? names.join(", ")
    : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
