/**
 * The lab: real guests for tests and demonstrations. Boots stock Debian
 * kernels, fetched as packages and never installed on the host, under QEMU
 * with their memory in a file, and runs commands in them.
 *
 * ```ts
 * await using guest = await Guest.boot({ kernel: "6.12" });
 * console.log(await guest.sh("uname -r"), guest.target, guest.memoryFile);
 * ```
 * @module
 */
export { Guest } from "./guest/guest.ts";
export { LabError, LabTimeout } from "./host/errors.ts";
export { labUnavailable } from "./host/host.ts";
export { guestProgram, type ProgramFile } from "./packages/guest_program.ts";
export { kernelHeaders } from "./packages/headers.ts";
export { type GuestOptions, type Machine, MACHINES } from "./host/options.ts";
export { type Flavour, FLAVOURS } from "./packages/kernel.ts";
export type { ExecOptions, ExecResult } from "./guest/channel.ts";
export type { Json } from "./guest/qmp.ts";
export {
  end,
  type GuestRecord,
  reap,
  type RunningGuest,
  runningGuests,
} from "./guest/registry.ts";
export {
  type OnProgress,
  type Progress,
  stderrProgress,
} from "./host/progress.ts";
