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
export { EXIT, XftraceError } from "./engine/errors.ts";
export { openCoreSession, type Session } from "./engine/session.ts";
export {
  openTarget,
  type RunOptions,
  type RunProgress,
  type RunResult,
  type RunTarget,
} from "./engine/plan/run.ts";
export { checks, selectChecks } from "./engine/detect/checks.ts";
export { type CheckRun, runChecks } from "./engine/detect/runner.ts";
export { decodeBaseline } from "./engine/detect/baseline.ts";
export { readRelocatable } from "./engine/detect/relocatable.ts";
export { sealedFlow } from "./engine/detect/sealed_flow.ts";
export { textRecords } from "./engine/detect/text_record.ts";
export { readVmlinux } from "./engine/detect/vmlinux.ts";
export type { CheckOptions } from "./engine/detect/context.ts";
export type { Check, CheckOutcome, Finding } from "./engine/detect/types.ts";
