/**
 * Programs of xftrace's own, started by their path: TypeScript in a checkout,
 * JavaScript in the npm package.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Deno's arguments that run a program of `scripts/` with all permissions.
 *
 * @param name below `scripts/`, without its ending: `collector/main`
 */
export function ownProgram(name: string): string[] {
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const path = (relative: string) =>
    fileURLToPath(new URL(relative, import.meta.url));
  // A checkout's import map, wherever the command was started. The package
  // has none: there the imports are npm's to resolve.
  const config = path("../../deno.json");
  return [
    "run",
    "--quiet",
    "--allow-all",
    ...(existsSync(config) ? ["--config", config] : []),
    path(`../${name}${ending}`),
  ];
}
