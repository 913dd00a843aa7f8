/**
 * Words of command lines that users copy from our output, or that their shell
 * completes. They may be names that somebody else chose.
 *
 * @module
 */
import { isUnfit } from "./shown.ts";

/** Words that no shell takes for anything but themselves, in any place. */
const PLAIN = /^[\w.:@-]+$/;
/** The same with what paths have, which shells leave alone too. */
const PLAIN_PATH = /^[\w.:@%+,/][\w.:@%+,/=-]*$/;

/**
 * Whether a name may be offered by a shell's completion: `[\w.:@-]+`. Others
 * could be taken for syntax where they are inserted.
 *
 * @example
 * ```ts
 * import { isPlainWord } from "xftrace/targets";
 *
 * console.log(isPlainWord("qemu:web1"), isPlainWord("qemu:a$(id)")); // true false
 * ```
 */
export function isPlainWord(text: string): boolean {
  return PLAIN.test(text);
}

/**
 * A word as it must be typed to mean itself: in single quotes unless it is
 * plain. Control characters and others that cannot be seen are written as
 * `$'\xNN'`, which bash, zsh and ksh read.
 *
 * @example
 * ```ts
 * import { shellWord } from "xftrace/targets";
 *
 * console.log(`xftrace off -t ${shellWord("qemu:my vm")}`);
 * // xftrace off -t 'qemu:my vm'
 * ```
 */
export function shellWord(text: string): string {
  if (PLAIN_PATH.test(text)) return text;
  if (!isUnfit(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const bytes = new TextEncoder().encode(text);
  const inner = Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return byte >= 0x20 && byte < 0x7f && character !== "'" &&
        character !== "\\"
      ? character
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }).join("");
  return `$'${inner}'`;
}
