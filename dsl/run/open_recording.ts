/**
 * Opens recordings; needs no permission but `--allow-read`.
 *
 * @module
 */
import { EXIT, XftraceError } from "../../engine/base/errors.ts";
import type { DescribeOptions } from "../../engine/kernel/locate/describe.ts";
import { openCoreSession } from "../../engine/session.ts";
import { parseTarget, withoutMemory } from "../../engine/targets/target.ts";
import { Guest, type GuestOptions } from "./guest.ts";

/** How a recording is opened. */
export interface RecordingOptions
  extends GuestOptions, Pick<DescribeOptions, "onStep"> {}

/**
 * Opens a recording, which is a dump or a snapshot: `core:web1.core.zst`. Needs no
 * permission but `--allow-read`.
 *
 * @throws {XftraceError} when the target is not a recording or cannot be read.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(guest.kernel.object("init_task").comm); // swapper/0
 * ```
 */
export function openRecording(
  target: string,
  options: RecordingOptions = {},
): Promise<Guest> {
  // Errors reject the promise, as those of live.ts do.
  return Promise.try(() => {
    const spec = parseTarget(target);
    if (spec.kind === "dat" || spec.kind === "xfs") {
      throw withoutMemory(target);
    }
    if (spec.kind !== "core") {
      throw new XftraceError(
        `"${target}" is no recording, and reading a guest's memory takes native code: import open from "xftrace/live", and start with deno run --allow-all`,
        { exitCode: EXIT.usage },
      );
    }
    return new Guest(openCoreSession(target, spec.path, options), options);
  });
}
