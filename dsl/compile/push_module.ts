/**
 * Pass: configures the guest's module for the traces that it records.
 *
 * @module
 */
import type { TargetFacts } from "../../engine/query/facts.ts";
import { type ControlStep, ROTATE_MS } from "../../engine/control/plan.ts";
import type { SealedConfig } from "../../engine/seal/tracer/trace_config.ts";
import type { SealName } from "../../engine/seal/page/abi.ts";
import { needsAll } from "./choose_module.ts";
import type { Draft } from "./draft.ts";

/** What the module is told. */
export interface ModulePush {
  readonly steps: readonly ControlStep[];
  /** How entries are sealed; `none`: the module is not used. */
  readonly seal: SealName;
  /** Why the host must select the functions; empty if it need not. */
  readonly rootsReason: string;
  /** Why the host must limit the depth; empty if it need not. */
  readonly depthReason: string;
}

/**
 * Plans the module's configuration for the traces that it records. Even without
 * push-down it gets the functions, since it records nothing else; the rest is
 * left to the host.
 */
export function pushModule(
  drafts: readonly Draft[],
  facts: TargetFacts,
  push: boolean,
): ModulePush {
  const own = drafts.filter((draft) => draft.via === "module calls");
  const { module } = facts.capabilities;
  if (own.length === 0 || module === undefined) {
    return { steps: [], seal: "none", rootsReason: "", depthReason: "" };
  }
  const everything = own.some(needsAll);
  const roots = new Set<string>();
  const functions = new Set<string>();
  let anyRoot = !push;
  for (const draft of own) {
    const outer = draft.under.length > 0 ? draft.under : draft.functions;
    if (outer === undefined) anyRoot = true;
    outer?.forEach(({ name }) => roots.add(name).has(name));
    draft.functions?.forEach(({ name }) => functions.add(name));
    draft.under.forEach(({ name }) => functions.add(name));
  }
  const crowded = roots.size > module.maxRoots;
  if (anyRoot || crowded) roots.clear();
  const each = own.map((draft) => levels(draft));
  // The module counts from the outermost of all roots.
  const together = own.length === 1 || own.every((draft) => draft.allSyscalls);
  const limit = each.includes(0) ? 0 : Math.max(...each);
  const depth = push && together && roots.size > 0 ? limit : 0;
  const rooted = [...roots].sort();
  const recorded = everything ? "all" : [...functions].sort();
  const config: SealedConfig = {
    roots: rooted,
    filter: recorded,
    depth,
    arguments: own.some((draft) => draft.syscalls.length > 0),
    // The function graph tracer records interrupts as well.
    interrupts: true,
    hooks: false,
    // With roots, record only below these, not what the dispatcher calls.
    dispatcher: rooted.length === 0,
    seal: module.seal,
  };
  return {
    steps: [
      {
        control: "module",
        roots: rooted.map(facts.functions.syscalls.short),
        functions: recorded === "all"
          ? recorded
          : recorded.map(facts.functions.syscalls.short),
        levels: depth,
        sharedFilter: module.sharedFilter,
        config,
      },
      { control: "keys", everyMs: ROTATE_MS },
      { control: "enabled" },
    ],
    seal: module.seal,
    rootsReason: !push
      ? "nothing is pushed down"
      : crowded
      ? `the module takes ${module.maxRoots} roots`
      : own.length > 1
      ? "the module records for all traces together"
      : "",
    depthReason: limit === 0 || depth === limit
      ? ""
      : !push
      ? "nothing is pushed down"
      : together
      ? "the module counts it from other functions"
      : "the traces count depth from different functions",
  };
}

/**
 * The depth limit, in levels, that the module can apply for a draft; 0: none.
 */
function levels(draft: Draft): number {
  const { depth } = draft.spec;
  if (draft.under.length > 0 || depth === undefined) return 0;
  return depth === Infinity ? 0 : depth;
}
