/**
 * Chooses where the file with a guest's memory is.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { LabError } from "../host/errors.ts";
import { exists, uid } from "../host/paths.ts";

/**
 * A path for a guest's memory of `mib` MiB, on the first file system with
 * enough space. The file is not created: QEMU does that.
 */
export function memoryFilePath(name: string, mib: number): string {
  // Prefer shared memory: other file systems write to a disk.
  const folders = ["/dev/shm", "/tmp", "/var/tmp"].filter(exists);
  const free = (folder: string) => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize / 2 ** 20;
  };
  const chosen = folders.find((folder) => free(folder) > mib);
  if (chosen) {
    const unique = crypto.randomUUID().slice(0, 8);
    return `${chosen}/xftrace-lab-${uid()}-${name}-${unique}`;
  }
  const room = folders.map((folder) =>
    `${folder} ${Math.floor(free(folder))}M`
  );
  throw new LabError(
    `no room for ${mib}M of guest memory (free: ${room.join(", ")}); end ` +
      "other guests or give a smaller --mem",
  );
}
