/**
 * All checks, in the order of their ids, in which they also run.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { archChecks } from "../arch/all_checks.ts";
import type { Check } from "./core/check.ts";
import { syscallTable } from "./checks/xf001_syscall_table.ts";
import { ftraceHooks } from "./checks/xf004_ftrace_ops.ts";
import { probes } from "./checks/xf005_kprobes.ts";
import { tracepointHooks } from "./checks/xf006_tracepoints.ts";
import { netfilter } from "./checks/xf007_netfilter.ts";
import { textBranches } from "./checks/xf008_text_branches.ts";
import { callSiteText } from "./checks/xf009_call_sites.ts";
import { constantTables } from "./checks/xf010_constant_tables.ts";
import { fileOperations } from "./checks/xf011_file_operations.ts";
import { procTree } from "./checks/xf012_proc_tree.ts";
import { notifiers } from "./checks/xf013_notifiers.ts";
import { securityModuleHooks } from "./checks/xf014_security_hooks.ts";
import { hiddenModules } from "./checks/xf015_hidden_modules.ts";
import { unownedCode } from "./checks/xf016_unowned_code.ts";
import { hiddenProcesses } from "./checks/xf017_hidden_processes.ts";
import { deferredCode } from "./checks/xf018_deferred_code.ts";
import { ftraceState } from "./checks/xf019_ftrace_state.ts";
import { textIntegrity } from "./checks/xf020_text.ts";
import { callFlow } from "./checks/xf021_call_flow.ts";
import { callCounts } from "./checks/xf022_call_counts.ts";
import { patchSiteText } from "./checks/xf023_patch_sites.ts";
import { moduleTextIntegrity } from "./checks/xf024_module_text.ts";
import { textInstructions } from "./checks/xf025_instructions.ts";
import { symbolTables } from "./checks/xf028_symbols.ts";
import { pageTables } from "./checks/xf027_page_tables.ts";
import { foreignPointers } from "./checks/xf029_pointers.ts";

/**
 * All checks, for any architecture.
 *
 * @example
 * ```ts
 * import { checks } from "xftrace/detect";
 *
 * for (const { id, title } of checks) console.log(id, title);
 * ```
 */
export const checks: readonly Check[] = [
  ...archChecks,
  syscallTable,
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
  symbolTables,
  pageTables,
  foreignPointers,
].sort((a, b) => a.id < b.id ? -1 : 1);

/**
 * Checks by id (`XF001`); without ids, all of them.
 *
 * @throws {XftraceError} when an id is unknown.
 *
 * @example
 * ```ts
 * import { selectChecks } from "xftrace/detect";
 *
 * console.log(selectChecks(["XF001"])[0].title); // system call table
 * ```
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
