/**
 * Text as it may be recorded: later checks compare with it, so it must not hold
 * what the kernel was just changing while it was read.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { liveSites, withoutProbes } from "./live_sites.ts";

/**
 * A text without kprobes. The text is read before the list of kprobes, so one
 * that is removed between the two would leave its breakpoint; therefore the text
 * of a running guest is read again, and must still be the same.
 *
 * @param text what was read
 * @param start GVA of its first byte
 * @param module the module whose text it is; `undefined` for the image
 * @throws {KernelError} when it differs, other than where the kernel may patch
 * it at any time.
 */
export function recordable(
  reading: CodeReading,
  text: Uint8Array,
  start: bigint,
  module?: ModuleView,
): Uint8Array<ArrayBuffer> {
  const own = withoutProbes(reading, text, start);
  const { kernel } = reading;
  if (!kernel.memory.live) return own;
  const now = kernel.space.bytes(start, text.length);
  const again = withoutProbes(reading, now, start);
  let marks: Uint8Array | undefined;
  for (let i = 0; i < own.length; i++) {
    if (own[i] === again[i]) continue;
    marks ??= liveSites(reading, own, start, module).marks;
    if (marks[i] !== 0) continue;
    throw new KernelError(
      `the text at ${
        hex(start + BigInt(i))
      } was changed while it was to be recorded`,
    );
  }
  return own;
}
