/**
 * Checks whether a kernel has been tampered with: the checks, call flows, and
 * trusted texts.
 *
 * @module
 */
export { checks, selectChecks } from "./checks.ts";
export type { Check } from "./core/check.ts";
export type { CheckOptions } from "./core/context.ts";
export { restartUnknown } from "./core/restart.ts";
export { type CheckRun, runChecks } from "./core/runner.ts";
export {
  parseTracefs,
  TOLD_FILES,
  type TracefsTexts,
} from "./core/told_state.ts";
export {
  addFlow,
  type Baseline,
  decodeBaseline,
  encodeBaseline,
} from "./flow/baseline.ts";
export { type Finding, sameThing } from "./finding.ts";
export { recordedFlow } from "./flow/call_flow.ts";
export { sealedFlow } from "./flow/sealed_flow.ts";
export { readRelocatable, type Relocatable } from "./text/relocatable.ts";
export { type TextRecords, textRecords } from "./text/text_record.ts";
export { readVmlinux, type Vmlinux } from "./text/vmlinux.ts";
export {
  flowDiffPage,
  flowDiffText,
  flowText,
} from "../output/findings/findings_flow.ts";
export {
  type CheckRunJson,
  checkRunJson,
} from "../output/findings/findings_json.ts";
export { findingsPage } from "../output/findings/findings_page.ts";
export { findingsText, summaryLine } from "../output/findings/findings_text.ts";
export { sarifLog } from "../output/findings/sarif.ts";
