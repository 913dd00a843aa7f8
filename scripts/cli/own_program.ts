/**
 * How to start another program of xftrace by its path: TypeScript in a
 * checkout, JavaScript in the npm package.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Arguments for Deno to run a program of `scripts/` with all permissions.
 *
 * @param name path below `scripts/`, without its extension: `collector/main`
 */
export function ownProgram(name: string): string[] {
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const path = (relative: string) =>
    fileURLToPath(new URL(relative, import.meta.url));
  // The import map of a checkout, wherever the command was started. The package
  // has none: its imports are resolved as npm's.
  const config = path("../../deno.json");
  return [
    "run",
    "--quiet",
    "--allow-all",
    ...(existsSync(config) ? ["--config", config] : []),
    path(`../${name}${ending}`),
  ];
}
