/**
 * Pass: chooses how calls are observed on this target.
 *
 * @module
 */
import { listed } from "../../engine/base/listed.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import { CompileError } from "../errors.ts";
import { closureAsks, moduleProblem, needsAll } from "./choose_module.ts";
import type { Draft, Notes } from "./draft.ts";
import { namedFields } from "./named_fields.ts";

/**
 * Chooses how calls are observed. In order of preference:
 *
 * - Events of system calls, if the script needs return values, which only they
 *   carry, and the events are enabled or can be.
 * - The guest's module, which records just these functions, sealed; but not if
 *   all functions are needed and the guest's tracer records them already.
 * - Events of system calls for any script, then the function graph.
 *
 * @param push whether the guest may be told what to record
 * @throws {CompileError} when none of them can deliver; says what to do.
 */
export function chooseSource(
  draft: Draft,
  facts: TargetFacts,
  notes: Notes,
  push: boolean,
): Draft["via"] {
  const { source } = draft.spec;
  if (source.kind === "events") return "events";
  const named = namedFields(draft);
  const within = draft.inside || draft.spec.depth !== undefined ||
    draft.under.length > 0 || named.has("caller") || named.has("depth");
  const graph = facts.tracer === "function_graph";
  const enabled = draft.syscalls.filter((call) => call.enabled);
  const missing = (draft.functions ?? []).map((each) => each.name)
    .filter((name) => {
      const short = facts.functions.syscalls.short(name);
      return !enabled.some((call) => call.name === short);
    });
  const events = draft.allSyscalls && enabled.length > 0 && !within;
  const complete = events &&
    missing.every((name) => draft.outdated.has(name));
  const problem = moduleProblem(draft, facts);
  const able = draft.allSyscalls && !within && draft.syscalls.length > 0 &&
    facts.capabilities.module?.tracefs === true;
  const returns = named.has("ret") || closureAsks(draft, "ret");
  const way = source.via ?? defaultWay({
    complete,
    events,
    graph,
    module: problem === undefined,
    able,
    returns,
    everything: needsAll(draft),
    push,
  });
  if (way === "events" && able && !complete) {
    for (const { name, enabled } of draft.syscalls) {
      if (enabled) continue;
      draft.enable.add(`syscalls:sys_enter_${name.slice(4)}`);
      draft.enable.add(`syscalls:sys_exit_${name.slice(4)}`);
    }
    return "syscall events";
  }
  if (way === "events" && events) {
    if (missing.length > 0) {
      const names = missing.map((name) => facts.functions.syscalls.short(name));
      notes.note(
        `events of ${
          listed(names)
        } are not enabled in the guest: these calls are not seen`,
      );
    }
    draft.syscalls = enabled;
    return "syscall events";
  }
  if (way === "module" && problem === undefined) {
    if (returns) {
      notes.note("the guest's module records no return values: ret is missing");
    }
    return "module calls";
  }
  if (facts.capabilities.module !== undefined && source.via === undefined) {
    draft.moduleReason = problem ??
      "the guest's tracer records all functions already";
  }
  if (way === "graph" && graph) {
    return within ? "graph calls" : "graph returns";
  }
  throw new CompileError(
    source.via === "module"
      ? `the module of ${facts.target} cannot record calls of ${draft.title}: ${problem}`
      : nothingDelivers(draft, facts, within, problem ?? ""),
    draft.spec.at,
  );
}

/** What a target offers a trace. */
interface Offers {
  /** Events of all the system calls are enabled. */
  readonly complete: boolean;
  /** Events of some of them are enabled. */
  readonly events: boolean;
  readonly graph: boolean;
  readonly module: boolean;
  /** The guest's module can enable the events of all of them. */
  readonly able: boolean;
  /** The script uses return values. */
  readonly returns: boolean;
  /** All functions must be recorded; see needsAll. */
  readonly everything: boolean;
  readonly push: boolean;
}

function defaultWay(
  { complete, events, graph, module, able, returns, everything, push }: Offers,
): "events" | "module" | "graph" | undefined {
  const untold = complete || graph;
  if (returns && (complete || able)) return "events";
  // Without push-down the module is used only where nothing else shows the
  // calls.
  if (module && (push || !untold) && !(everything && graph)) return "module";
  if (events && (complete || !graph)) return "events";
  if (graph) return "graph";
  return able ? "events" : undefined;
}

function nothingDelivers(
  draft: Draft,
  facts: TargetFacts,
  within: boolean,
  module: string,
): string {
  const why = facts.tracer === "function_graph"
    ? ""
    : `its tracer is ${facts.tracer}`;
  const calls = draft.allSyscalls && !within
    ? (draft.syscalls.length > 0 ? draft.syscalls : []).slice(0, 2)
    : [];
  const parameters = calls.flatMap((call) => {
    const name = call.name.slice(4);
    return [`syscalls:sys_enter_${name}`, `syscalls:sys_exit_${name}`];
  });
  const loaded = facts.capabilities.module !== undefined;
  const reasons = [
    why,
    calls.length > 0 ? "the events of the system call are not enabled" : "",
    loaded ? `its module cannot be used: ${module}` : "",
  ].filter((each) => each !== "").join(", and ");
  const boot = "boot it with ftrace=function_graph" +
    (draft.functions !== undefined && draft.functions.length <= 4
      ? ` ftrace_graph_filter=${
        draft.functions.map((each) => each.name).join(",")
      }`
      : "") +
    (parameters.length > 0 ? ` or trace_event=${parameters.join(",")}` : "");
  if (!facts.live) {
    return `the recording ${facts.target} holds no calls of ${draft.title}: ${reasons}; record one of a guest that traces them`;
  }
  return `${facts.target} shows no calls of ${draft.title}: ${reasons}; ${boot}, ${
    loaded
      ? "or set the tracer inside the guest"
      : "set the tracer inside the guest, or load the xftrace module there (`xftrace guest install`), which records what it is told"
  }`;
}
