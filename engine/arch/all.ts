/**
 * The architectures of guests that can be read.
 *
 * @module
 */
import type { Arch } from "./arch.ts";
import { x86_64 } from "./x86_64/mod.ts";

/** Every architecture there is, in the order in which they are tried. */
export const architectures: readonly Arch[] = [x86_64];
