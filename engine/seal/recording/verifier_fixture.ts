/**
 * What tests ask of a verification.
 *
 * @module
 */
import type { Verification } from "./verifier.ts";

/** Whether nothing indicates tampering. */
export function isUntouched({ total }: Verification): boolean {
  return total.forged + total.missing + total.replayed + total.reordered +
      total.early + total.late === 0;
}
