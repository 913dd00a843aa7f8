/**
 * A guest's kernel: symbols, types, objects, functions that can be traced.
 *
 * @module
 */
export { Kernel } from "./core/kernel.ts";
export { prototypeText } from "./functions/find_functions.ts";
