/**
 * The errors of the lab that a user can act on.
 *
 * @module
 */

/**
 * An error of the lab: one sentence that also says what to do. Every error that
 * a user can cause is one of these; anything else is a bug.
 */
export class LabError extends Error {
  override name = "LabError";
}

/** A command in a guest did not end in time. `output` is its output so far. */
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
