/**
 * The recordings that are searched: full ones of the lab's guests, kept in the
 * lab's cache, since they are too large for the repository.
 *
 * @module
 */
import { openCoreSession } from "../../engine/session.ts";
import { takeSnapshot } from "../../engine/snapshot/snapshot.ts";
import { Guest } from "../../lab/mod.ts";
import { lock } from "../../lab/host/lock.ts";
import { cacheDirectory, exists } from "../../lab/host/paths.ts";
import { findKernel } from "../../lab/packages/kernel.ts";
import { attach } from "../../ffi/attach.ts";

/** Counts up when a recording has to hold something else. */
const FORMAT = 1;

/**
 * What the guest does first, so that each check has something to read: a
 * process to hide, and recorded calls.
 */
const PREPARE = `
(sleep 99999 > /dev/null 2>&1 &)
cd /sys/kernel/tracing
echo 0 > tracing_on
echo 64 > buffer_size_kb
for name in 'vfs_*' 'do_*open*' '__x64_sys_*'; do
  echo "$name" >> set_ftrace_filter
done
echo __x64_sys_openat > set_graph_function
echo __x64_sys_read >> set_graph_function
echo function_graph > current_tracer
echo 1 > tracing_on
for i in 1 2 3; do find /proc/self > /dev/null 2>&1; done
echo 0 > tracing_on
`;

/** Path of a full recording of a guest; made unless there is one. */
export async function recordingOf(series: string): Promise<string> {
  const { release } = await findKernel(series, "amd64", () => {});
  const folder = `${cacheDirectory()}/recordings`;
  const path = `${folder}/${release}-${FORMAT}.core`;
  Deno.mkdirSync(folder, { recursive: true });
  using _held = await lock(`${path}.lock`);
  if (exists(path)) return path;
  await using guest = await Guest.boot({
    kernel: series,
    cpus: 2,
    onProgress: (step) => console.log(`  guest ${series}: ${step}`),
  });
  await guest.sh(PREPARE, { timeoutMs: 300_000 });
  using session = attach(guest.target, { writable: false });
  await takeSnapshot(session, `${path}.tmp`, { full: true });
  openCoreSession("core:new", `${path}.tmp`)[Symbol.dispose]();
  Deno.renameSync(`${path}.tmp`, path);
  return path;
}
