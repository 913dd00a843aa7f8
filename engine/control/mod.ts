/**
 * Everything that changes a guest: planned, printed, carried out, undone.
 *
 * @module
 */
export { AgentTracefs } from "./agent_tracefs.ts";
export type { Applied, Left } from "./applied.ts";
export { applyPlan, setRecording } from "./apply.ts";
export { appliedBefore, canBeRetried, leftTexts } from "./left_text.ts";
export { resumeModule, startModule } from "./module_commands.ts";
export { planOff } from "./plan_off.ts";
export {
  type OnPlan,
  type PlainRequest,
  planPlain,
  type WordRequest,
} from "./plan_plain.ts";
export { planSealed, type SealedRequest } from "./plan_sealed.ts";
export { afterText, planText } from "./plan_text.ts";
export type { ForEvent, SetFile } from "./plan_tracefs.ts";
export { planTracer, type TracerRequest } from "./plan_tracer.ts";
export type { ControlTarget } from "./target.ts";
export type { TracefsAccess } from "./tracefs.ts";
export { undoChanges, type UndoOptions, undoTarget } from "./undo.ts";
