/**
 * Paths to members: `se.load.weight`, `numbers[0].nr`.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";

/** One step of a path. */
export interface PathStep {
  /** The member's name. */
  readonly name: string;
  /** Array indices applied to the member, in order. */
  readonly indices: readonly number[];
}

const STEP = /^([^.[\]]+)((?:\[\d+\])*)$/;

/** Splits a path into steps. @throws {KernelError} when it is malformed. */
export function parsePath(path: string): PathStep[] {
  return path.split(".").map((step) => {
    const [, name, indices] = STEP.exec(step) ?? [];
    if (name === undefined) {
      throw new KernelError(
        `"${path}" is no path to a member: write "mm.pgd" or "numbers[0].nr"`,
      );
    }
    return {
      name,
      indices: [...indices.matchAll(/\d+/g)].map(([digits]) => Number(digits)),
    };
  });
}
