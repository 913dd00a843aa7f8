/**
 * The version of xftrace, which deno.json states.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };

/** As in deno.json: `0.1.0`. */
export const VERSION: string = config.version;
