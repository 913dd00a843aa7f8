/**
 * The version of xftrace. It stands here and in deno.json, for in the npm
 * package there is no deno.json; a test keeps the two alike.
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
