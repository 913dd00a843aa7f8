/**
 * The checks that exist on one architecture only, collected from all
 * architectures.
 *
 * @module
 */
import type { Check } from "../detect/core/check.ts";
import { checks as x86_64 } from "./x86_64/checks/mod.ts";

/** All of them, in no particular order. */
export const archChecks: readonly Check[] = [...x86_64];
