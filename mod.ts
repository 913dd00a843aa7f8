/**
 * xftrace: traces running Linux guests from outside.
 *
 *     import { duration, sys_open, trace } from "xftrace";
 *
 *     await trace(sys_open).filter(duration.gt("100us")).until("5s").print();
 *
 * This module opens no guest and loads no foreign code: `xftrace run`,
 * `xftrace eval` and `scripts/script.ts` do, and recordings need
 * `--allow-read` alone.
 *
 * @module
 */
export * from "./dsl/mod.ts";
export { EXIT, XftraceError } from "./engine/base/errors.ts";
// Not by name: `xftrace types --struct` adds to it, which takes `export *`.
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
export { openCoreSession, type Session } from "./engine/session.ts";
export {
  openTarget,
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
