/**
 * Under which name a run of a VM has its record of the module that was
 * installed.
 *
 * The name holds what the guest states about its kernel (see `bootOf`). A guest
 * that states something else must not lose its record, unless it has been
 * restarted: then the module is another.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isMissing } from "../../base/host_file/open.ts";
import { readHostText } from "../../base/host_file/read.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { notRestarted, type RecordTime } from "../../kernel/objects/uptime.ts";

const SUFFIX = ".json";
/** The most bytes of a record. */
const RECORD_BYTES = 65_536;
const SINCE = z.object({
  since: z.iso.datetime(),
  hostUp: z.number().nonnegative().optional(),
});

/**
 * The boot under whose name the present one has its record: `boot`, or another
 * of this run of the VM whose record was made since the guest's own clock was
 * started.
 *
 * @param key the session's, by which the host knows this run of the VM
 * @param boot what the guest states now, from `bootOf`
 * @throws {XftraceError} when a record cannot be read.
 */
export function installedBoot(
  folder: string,
  key: string,
  boot: string,
  kernel: Kernel,
): string {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return boot;
    throw error;
  }
  const mine = `${boot.replace(/[^\w.-]/g, "_")}${SUFFIX}`;
  if (names.includes(mine)) return boot;
  for (const name of names) {
    if (!name.includes(`-${key}-`) || !name.endsWith(SUFFIX)) continue;
    const since = sinceOf(join(folder, name));
    if (since === undefined || notRestarted(kernel, since) === undefined) {
      continue;
    }
    return name.slice(0, -SUFFIX.length);
  }
  return boot;
}

/** When a record was made; `undefined` when it is damaged. */
function sinceOf(path: string): RecordTime | undefined {
  const text = readHostText(path, { own: true, limit: RECORD_BYTES });
  try {
    return SINCE.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
