/**
 * Builds the guest's module and installs it through the guest's agent.
 *
 * @module
 */
export { type AgentInfo, GuestAgent } from "../agent/agent.ts";
export {
  buildModule,
  dkmsCommands,
  MODULE_SOURCES,
  moduleVersion,
  withoutDebug,
} from "./build.ts";
export { findHeaders, type KernelName, requireHeadersOf } from "./headers.ts";
export {
  AGENT_COMMANDS,
  carryOutInstall,
  type InstallPlan,
  type InstallStep,
  planInstall,
  requireAbsent,
} from "./install.ts";
export { type ModuleFile, readModuleFile } from "./module_file.ts";
