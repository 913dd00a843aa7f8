/**
 * The version of xftrace. It stands both here and in deno.json, because the npm
 * package has no deno.json; a test keeps the two equal.
 *
 * @module
 */

/**
 * Semantic version of this release: `0.2.0`.
 *
 * @example
 * ```ts
 * import { VERSION } from "xftrace";
 *
 * console.log(`made with xftrace ${VERSION}`);
 * ```
 */
export const VERSION = "0.2.0";
