/** Values of options that are more than text. */

/** Names with commas between them: `--only XF001,XF008`. */
export function nameList(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((n) => n !== "");
}
