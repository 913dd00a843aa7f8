/**
 * The architectures of guests that can be read.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import type { Arch } from "./arch.ts";
import { x86_64 } from "./x86_64/mod.ts";

/** Every architecture there is, in the order in which they are tried. */
export const architectures: readonly Arch[] = [x86_64];

/**
 * The architecture of that name.
 *
 * @param name default: x86_64, as recordings of before 0.2 do not say it
 * @throws {XftraceError} when there is none.
 */
export function archNamed(name: string = x86_64.name): Arch {
  const found = architectures.find((arch) => arch.name === name);
  if (found !== undefined) return found;
  throw new XftraceError(
    `${name} is no architecture that can be read; ${readableArchs()} are`,
  );
}

/** Names of all, for messages: `x86_64, arm64`. */
export function readableArchs(): string {
  return architectures.map(({ name }) => name).join(", ");
}
