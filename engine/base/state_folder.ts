/**
 * Where what the host keeps between commands lies.
 *
 * @module
 */
import { join } from "node:path";

/**
 * A folder below `$XDG_STATE_HOME/xftrace`, else `~/.local/state/xftrace`;
 * `undefined` when neither is set to a path.
 */
export function stateFolder(name: string): string | undefined {
  const xdg = Deno.env.get("XDG_STATE_HOME");
  const home = Deno.env.get("HOME");
  if (xdg?.startsWith("/")) return join(xdg, "xftrace", name);
  return home?.startsWith("/")
    ? join(home, ".local", "state", "xftrace", name)
    : undefined;
}
