/**
 * Names in a sentence.
 *
 * @module
 */

/** Names with commas between them; of more than `most`, how many more. */
export function listed(names: readonly string[], most = 4): string {
  return names.length <= most + 1
    ? names.join(", ")
    : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
