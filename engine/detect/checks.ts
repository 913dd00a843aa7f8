/**
 * All checks, in the order in which they run.
 *
 * @module
 */
import { XftraceError } from "../errors.ts";
import type { Check } from "./types.ts";
import { syscallTable } from "./xf001_syscall_table.ts";
import { syscallDispatch } from "./xf002_syscall_dispatch.ts";
import { idt } from "./xf003_idt.ts";
import { ftraceHooks } from "./xf004_ftrace_ops.ts";
import { probes } from "./xf005_kprobes.ts";
import { tracepointHooks } from "./xf006_tracepoints.ts";
import { netfilter } from "./xf007_netfilter.ts";
import { textBranches } from "./xf008_text_branches.ts";
import { callSiteText } from "./xf009_call_sites.ts";
import { constantTables } from "./xf010_constant_tables.ts";
import { fileOperations } from "./xf011_file_operations.ts";
import { procTree } from "./xf012_proc_tree.ts";
import { notifiers } from "./xf013_notifiers.ts";
import { securityModuleHooks } from "./xf014_security_hooks.ts";
import { hiddenModules } from "./xf015_hidden_modules.ts";
import { unownedCode } from "./xf016_unowned_code.ts";
import { hiddenProcesses } from "./xf017_hidden_processes.ts";
import { deferredCode } from "./xf018_deferred_code.ts";
import { ftraceState } from "./xf019_ftrace_state.ts";
import { textIntegrity } from "./xf020_text.ts";
import { callFlow } from "./xf021_call_flow.ts";
import { callCounts } from "./xf022_call_counts.ts";
import { patchSiteText } from "./xf023_patch_sites.ts";
import { moduleTextIntegrity } from "./xf024_module_text.ts";
import { textInstructions } from "./xf025_instructions.ts";

/** Every check there is. */
export const checks: readonly Check[] = [
  syscallTable,
  syscallDispatch,
  idt,
  ftraceHooks,
  probes,
  tracepointHooks,
  netfilter,
  textBranches,
  callSiteText,
  constantTables,
  fileOperations,
  procTree,
  notifiers,
  securityModuleHooks,
  hiddenModules,
  unownedCode,
  hiddenProcesses,
  deferredCode,
  ftraceState,
  textIntegrity,
  callFlow,
  callCounts,
  patchSiteText,
  moduleTextIntegrity,
  textInstructions,
];

/**
 * Checks by id (`XF001`), all of them when none are named.
 *
 * @throws {XftraceError} when there is none of that id.
 */
export function selectChecks(ids: readonly string[]): Check[] {
  if (ids.length === 0) return [...checks];
  return ids.map((id) => {
    const found = checks.find((check) => check.id === id.toUpperCase());
    if (found !== undefined) return found;
    throw new XftraceError(
      `there is no check ${id}; take some of ${
        checks.map((check) => check.id).join(", ")
      }`,
    );
  });
}
