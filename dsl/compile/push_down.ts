/**
 * Pass: has the guest record less, by graph roots, depth and muted events.
 * Pushing down never changes which events the script gets.
 *
 * @module
 */
import { listed } from "../../engine/base/listed.ts";
import { asksProcess } from "../../engine/query/expression.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import type { ControlStep } from "../../engine/control/plan.ts";
import { rootsStep } from "../../engine/control/roots_step.ts";
import type { FunctionTarget } from "../../engine/query/program.ts";
import type { Draft, Notes } from "./draft.ts";
import { namedFields } from "./named_fields.ts";
import { type ModulePush, pushModule } from "./push_module.ts";

/** What is pushed down, and why the rest is not. */
export interface PushDown {
  readonly steps: readonly ControlStep[];
  /** Why the host must select the functions; empty if it need not. */
  readonly rootsReason: string;
  /** Why the host must limit the depth; empty if it need not. */
  readonly depthReason: string;
  /** What the guest's module is told. */
  readonly module: ModulePush;
}

/** Plans the control steps for all drafts together. */
export function pushDown(
  drafts: readonly Draft[],
  facts: TargetFacts,
  push: boolean,
  notes: Notes,
): PushDown {
  const steps: ControlStep[] = [];
  const graphs = drafts.filter((draft) => draft.via.startsWith("graph"));
  const roots = planRoots(graphs, facts, push, steps, notes);
  const depthReason = planDepth(graphs, facts, push, roots.exact, steps, notes);
  const ring = drafts.some((draft) => draft.via !== "module calls");
  if (ring) planMutes(drafts, facts, push, steps);
  const enable = new Set(drafts.flatMap((draft) => [...draft.enable]));
  if (enable.size > 0) {
    steps.push({ control: "enable", events: [...enable].sort() });
  }
  if (ring && facts.live && !facts.recording) {
    steps.push({ control: "recording", on: true });
  }
  const module = pushModule(drafts, facts, push);
  steps.push(...module.steps);
  return {
    steps,
    rootsReason: roots.reason,
    depthReason,
    module,
  };
}

/**
 * Why the host tests a trace's conditions: before recording, both a stock
 * kernel and the module look at the function only.
 */
export function filterReason(
  draft: Draft,
  facts: TargetFacts,
  push: boolean,
): string {
  if (!facts.live) return "";
  if (!push) return "nothing is pushed down";
  return draft.via === "module calls"
    ? "the module chooses by function alone"
    : "a stock kernel cannot be told";
}

interface Roots {
  /** Whether the guest's roots will be exactly the functions asked for. */
  readonly exact: boolean;
  readonly reason: string;
}

function planRoots(
  graphs: readonly Draft[],
  facts: TargetFacts,
  push: boolean,
  steps: ControlStep[],
  notes: Notes,
): Roots {
  const none = (reason: string): Roots => ({ exact: false, reason });
  if (graphs.length === 0) return none("");
  const wanted = new Map<string, FunctionTarget>();
  let all = false;
  for (const draft of graphs) {
    // The graph starts at its roots: as a root, a function hides its callers.
    const outer = draft.under.length > 0 ? draft.under : draft.functions;
    if (outer === undefined) all = true;
    else if (namedFields(draft).has("caller") && draft.under.length === 0) {
      all = true;
    } else for (const each of outer) wanted.set(each.name, each);
  }
  const { roots } = facts;
  const names = [...wanted.keys()].sort();
  const same = !all && roots.length === names.length &&
    roots.every((name, i) => name === names[i]);
  if (same) return { ...none(""), exact: true };
  const outside = all
    ? roots.length > 0
    : roots.length > 0 && names.some((name) => !roots.includes(name));
  const within = () => {
    if (!outside) return;
    notes.note(
      `${
        facts.live ? "the guest traces" : "the recording holds"
      } only what happens within ${
        listed(roots.map(facts.functions.syscalls.short))
      }: calls elsewhere are not seen`,
    );
  };
  if (!facts.live) {
    within();
    return none("");
  }
  if (!push) {
    within();
    return none("nothing is pushed down");
  }
  if (all) {
    within();
    return none("callers of the functions are asked for, or all functions");
  }
  if (!facts.capabilities.writes) return none("the guest cannot be written to");
  if (facts.capabilities.roots === 0) {
    return none(
      "the guest has no graph roots to rewrite: it was not booted with ftrace_graph_filter=",
    );
  }
  if (names.length > facts.capabilities.roots) {
    within();
    return none(
      `the guest has room for ${facts.capabilities.roots} graph roots, not for ${names.length}`,
    );
  }
  const functions = [...wanted.values()].flatMap(({ name, addresses }) =>
    addresses.slice(0, 1).map((gva) => ({ name, gva }))
  );
  steps.push(rootsStep(facts.functions.syscalls, roots, functions));
  return { exact: true, reason: "" };
}

/**
 * The depth limit, in levels, that the guest can apply for a draft; 0: none.
 */
function levels(draft: Draft): number {
  if (draft.under.length > 0) return 0;
  if (draft.spec.depth !== undefined) {
    return draft.spec.depth === Infinity ? 0 : draft.spec.depth;
  }
  // Entry functions of system calls do not call each other; any other function
  // may be recursive.
  return draft.allSyscalls && !draft.inside ? 1 : 0;
}

function planDepth(
  graphs: readonly Draft[],
  facts: TargetFacts,
  push: boolean,
  exact: boolean,
  steps: ControlStep[],
  notes: Notes,
): string {
  if (graphs.length === 0) return "";
  const each = graphs.map(levels);
  const limit = each.includes(0) ? 0 : Math.max(...each);
  const { maxDepth } = facts;
  const missed = () => {
    if (maxDepth !== 0 && (limit === 0 || limit > maxDepth)) {
      notes.note(
        `the guest's max_graph_depth is ${maxDepth}: deeper calls are not seen`,
      );
    }
  };
  if (!facts.live) {
    missed();
    return "";
  }
  if (!push || !facts.capabilities.writes || !facts.capabilities.depth) {
    missed();
    return push ? "the guest cannot limit it" : "nothing is pushed down";
  }
  // The guest counts from the outermost of all roots.
  const together = graphs.length === 1 ||
    graphs.every((draft) => draft.allSyscalls);
  const safe = exact && together ? limit : 0;
  if (safe !== maxDepth) {
    steps.push({ control: "depth", before: maxDepth, levels: safe });
  }
  if (limit === 0) return "";
  return safe === limit
    ? ""
    : exact
    ? "the traces count depth from different functions"
    : "the guest counts it from other functions";
}

/** Plans to mute the enabled events that no trace needs. */
function planMutes(
  drafts: readonly Draft[],
  facts: TargetFacts,
  push: boolean,
  steps: ControlStep[],
): void {
  const { writes, mute } = facts.capabilities;
  if (!push || !facts.live || !writes || !mute) return;
  const needed = new Set<number>();
  let forks = false;
  for (const draft of drafts) {
    if (draft.via === "events") draft.ids.forEach((id) => needed.add(id));
    if (draft.via === "syscall events") {
      for (const call of draft.syscalls) needed.add(call.enter).add(call.exit);
    }
    for (const ids of draft.markers.values()) {
      ids.forEach((id) => needed.add(id));
    }
    forks ||= draft.spec.filters.some((filter) =>
      filter.kind === "expression" && asksProcess(filter.node)
    );
  }
  const idle = facts.events.all.filter((event) =>
    event.enabled && !needed.has(event.id) &&
    !(forks && event.name === "sched_process_fork")
  ).map((event) => `${event.system}:${event.name}`).sort();
  if (idle.length > 0) steps.push({ control: "mute", events: idle });
}
