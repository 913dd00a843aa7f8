/**
 * What can be opened: the VMs of this host, and how targets are resolved.
 *
 * @module
 */
export {
  backingText,
  shareAdvice,
  shareOptions,
  TRACE_PARAMETERS,
} from "./advice.ts";
export { isPlainWord, shellWord } from "../base/shell_word.ts";
export { userName } from "./user.ts";
export { listVms, targetOf } from "./discover.ts";
export { mayOpen } from "./proc.ts";
export { processorTimes } from "./processor_times.ts";
export { resolveTarget } from "./resolve.ts";
export { parseTarget, TARGET_FORMS, withoutMemory } from "./target.ts";
export type { VmProcess } from "./vm.ts";
