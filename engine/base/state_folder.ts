/**
 * The folder in which the host keeps state between commands.
 *
 * @module
 */
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Days after which the files about a guest are removed. */
const KEEP_DAYS = 30;

/**
 * A folder below `$XDG_STATE_HOME/xftrace`, else `~/.local/state/xftrace`;
 * `undefined` when neither variable is set to an absolute path.
 *
 * @example
 * ```ts
 * import { stateFolder } from "xftrace";
 *
 * console.log(stateFolder("notes")); // ~/.local/state/xftrace/notes
 * ```
 */
export function stateFolder(name: string): string | undefined {
  const xdg = Deno.env.get("XDG_STATE_HOME");
  const home = Deno.env.get("HOME");
  if (xdg?.startsWith("/")) return join(xdg, "xftrace", name);
  return home?.startsWith("/")
    ? join(home, ".local", "state", "xftrace", name)
    : undefined;
}

/**
 * Removes the old files of a folder: guests end without notice, so nothing else
 * would remove them.
 *
 * @param suffix the ending of the files' names
 */
export function forgetOld(folder: string, suffix: string): void {
  const until = Date.now() - KEEP_DAYS * 24 * 3600 * 1000;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!name.endsWith(suffix) || lstatSync(path).mtimeMs >= until) continue;
    rmSync(path, { force: true });
  }
}
