/**
 * The sealed tracer: its module in the guest, its recordings, and their
 * verification.
 *
 * @module
 */
export {
  type ReportedRecording,
  reportRecording,
} from "../output/sealed/report_recording.ts";
export { SEAL_NUMBER, type SealName } from "./page/abi.ts";
export { installedTexts } from "./page/installed_text.ts";
export { type ModuleState, moduleState } from "./page/module_state.ts";
export type { PresenceFinding } from "./page/presence.ts";
export { VERDICTS } from "./recording/verdicts.ts";
export {
  isClean,
  isOnlyRestarted,
  isOnlyUnended,
  isUnharmed,
  type RecordingVerification,
  verifyRecording,
} from "./recording/verify_recording.ts";
export { SealedTracer } from "./tracer/sealed_tracer.ts";
export type { SealedStatus, SealedSummary } from "./tracer/trace_results.ts";
