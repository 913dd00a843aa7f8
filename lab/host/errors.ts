/**
 * The errors of the lab that a user can act on.
 *
 * @module
 */

/**
 * What went wrong in the lab, as one sentence that also names the remedy.
 * Everything a user can cause is thrown as this; anything else is a bug.
 */
export class LabError extends Error {
  override name = "LabError";
}

/** A command in a guest did not end in time. `output` is what it had said. */
export class LabTimeout extends LabError {
  override name = "LabTimeout";

  constructor(message: string, readonly output: Uint8Array) {
    super(message);
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
