/**
 * xftrace: traces running Linux guests from the host.
 *
 *     import { duration, open, sys_open, trace } from "xftrace";
 *
 *     await using guest = await open("core:web1.core.zst");
 *     await trace(sys_open).filter(duration.gt("100us")).on(guest).print();
 *
 * This module loads no native code. It opens recordings, which only need
 * `--allow-read`; `xftrace/live` also opens running guests.
 *
 * @module
 */
export * from "./dsl/mod.ts";
export {
  type Asked,
  Guest,
  type GuestOptions,
  type GuestRunOptions,
  type GuestRunResult,
  type PlanOptions,
} from "./dsl/run/guest.ts";
export { declarations } from "./dsl/names/declarations.ts";
export { type DatQueryOptions, queryDat } from "./dsl/run/dat_queries.ts";
export { oneLiner, oneLinerMessage } from "./dsl/run/one_liner.ts";
export {
  openRecording as open,
  type RecordingOptions,
} from "./dsl/run/open_recording.ts";
export {
  EXIT,
  GuestGoneError,
  KernelError,
  MemoryError,
  XftraceError,
} from "./engine/base/errors.ts";
export {
  allocateBytes,
  allocateList,
  type AllocateOptions,
  allocateWords,
  type Sized,
  wholeSize,
  type WordArray,
} from "./engine/base/allocate.ts";
// `export *`, so that declarations of `xftrace types --struct` can extend it.
export * from "./engine/kernel/view/object_types.ts";
export {
  GuestKernel,
  type TypeDescription,
  type TypeMember,
} from "./engine/kernel/view/guest_kernel.ts";
export type { Mount, TaskFile } from "./engine/kernel/view/subsystems.ts";
export type { KnownVariable } from "./engine/kernel/view/variables.ts";
export type {
  KernelStructs,
  PerCpuVariables,
} from "./engine/kernel/view/structs.ts";
export { readLimits } from "./engine/memory/read_limits.ts";
export type { Budget, BudgetLimits } from "./engine/base/budget.ts";
export {
  bootOf,
  END_TEXT,
  type GuestEnd,
  isBelievable,
  openCoreSession,
  type Session,
  settled,
  type Whereabouts,
} from "./engine/session.ts";
export {
  openRunTarget,
  type RunOptions,
  type RunProgress,
  type RunResult,
  type RunTarget,
} from "./engine/run/run.ts";
export { checks, selectChecks } from "./engine/detect/checks.ts";
export { type CheckRun, runChecks } from "./engine/detect/core/runner.ts";
export { decodeBaseline } from "./engine/detect/flow/baseline.ts";
export { readRelocatable } from "./engine/detect/text/relocatable.ts";
export { sealedFlow } from "./engine/detect/flow/sealed_flow.ts";
export { textRecords } from "./engine/detect/text/text_record.ts";
export { readVmlinux } from "./engine/detect/text/vmlinux.ts";
export type { CheckOptions } from "./engine/detect/core/context.ts";
export type { Finding } from "./engine/detect/finding.ts";
export type { Check, CheckOutcome } from "./engine/detect/core/check.ts";
export {
  isMissing,
  openHostFile,
  openOwnFile,
} from "./engine/base/host_file/open.ts";
export { replaceHostFile } from "./engine/base/host_file/create.ts";
export {
  makeOwnFolder,
  requireOwnFolder,
} from "./engine/base/host_file/folder.ts";
export {
  readHostFile,
  readHostTextIfThere,
} from "./engine/base/host_file/read.ts";
export {
  HostWriteError,
  isFull,
  unwritable,
} from "./engine/base/host_file/write_error.ts";
export { whyUnreadable } from "./engine/base/file_error.ts";
export { WaitClock, type WaitTimes } from "./engine/base/wait_clock.ts";
export { shown, shownJson, shownLines } from "./engine/base/shown.ts";
export { durationText } from "./engine/passes/fields/values.ts";
export { stateFolder } from "./engine/base/state_folder.ts";
export { VERSION } from "./engine/base/version.ts";
export type { GuestInfo } from "./engine/run/guest_info.ts";
export type { SealedOutcome } from "./engine/run/module_run.ts";
