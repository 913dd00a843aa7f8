/**
 * Names of the host's users.
 *
 * @module
 */
import { readHostText } from "../base/host_file/read.ts";
import { isPlainWord } from "../base/shell_word.ts";

/** The most bytes of /etc/passwd. */
const PASSWD_BYTES = 2 ** 22;

let known: ReadonlyMap<number, string> | undefined;

/**
 * The name of a user by /etc/passwd; the number itself when it has none there.
 *
 * @example
 * ```ts
 * import { userName } from "xftrace/targets";
 *
 * console.log(userName(0)); // root
 * ```
 */
export function userName(uid: number): string {
  known ??= namesOf();
  return known.get(uid) ?? String(uid);
}

function namesOf(): Map<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readHostText("/etc/passwd", { limit: PASSWD_BYTES });
  } catch {
    return names;
  }
  for (const line of text.split("\n")) {
    const [name, , uid] = line.split(":");
    const id = /^\d+$/.test(uid ?? "") ? Number(uid) : undefined;
    // The first one counts, as for getpwuid.
    if (id !== undefined && isPlainWord(name) && !names.has(id)) {
      names.set(id, name);
    }
  }
  return names;
}
