/**
 * Pass: how calls are seen on this target.
 *
 * @module
 */
import type { TargetFacts } from "../../engine/plan/facts.ts";
import { visitLeaves } from "../../engine/plan/expression.ts";
import { CompileError } from "../errors.ts";
import type { Draft, Notes } from "./draft.ts";

/** Names of the fields that a trace's filters and sinks name. */
export function namedFields(draft: Draft): Set<string> {
  const names = new Set<string>();
  for (const filter of draft.spec.filters) {
    if (filter.kind === "expression") {
      visitLeaves(filter.node, (leaf) => names.add(leaf.field));
    }
  }
  for (const { sink } of draft.sinks) {
    if (sink.kind === "count") sink.by.forEach((each) => names.add(each));
    if (sink.kind === "hist" || sink.kind === "stats") {
      names.add(sink.field);
      sink.by.forEach((each) => names.add(each));
    }
    if (sink.kind === "top") names.add(sink.field);
  }
  return names;
}

/** Lists a few names and counts the rest. */
export function listed(names: readonly string[], most = 4): string {
  return names.length <= most + 1
    ? names.join(", ")
    : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}

/**
 * Chooses between the function graph and system calls' events. Events are
 * taken when all that are needed are enabled: they carry arguments and return
 * values, and nothing in the guest has to be changed.
 *
 * @throws {CompileError} when neither can deliver, with what to do.
 */
export function chooseSource(
  draft: Draft,
  facts: TargetFacts,
  notes: Notes,
): Draft["via"] {
  const { source } = draft.spec;
  if (source.kind === "events") return "events";
  const named = namedFields(draft);
  const within = draft.inside || draft.spec.depth !== undefined ||
    draft.under.length > 0 || named.has("caller") || named.has("depth");
  const graph = facts.tracer === "function_graph";
  const enabled = draft.syscalls.filter((call) => call.enabled);
  const missing = (draft.functions ?? []).map((each) => each.name)
    .filter((name) => !enabled.some((call) => `__x64_${call.name}` === name));
  const complete = draft.allSyscalls && enabled.length > 0 &&
    missing.every((name) => draft.outdated.has(name));
  const events = draft.allSyscalls && enabled.length > 0 && !within;
  const way = source.via ??
    (events && (complete || !graph) ? "events" : graph ? "graph" : undefined);
  if (way === "events" && events) {
    if (missing.length > 0) {
      const names = missing.map((name) => name.replace(/^__x64_/, ""));
      notes.note(
        `events of ${
          listed(names)
        } are not enabled in the guest: these calls are not seen`,
      );
    }
    draft.syscalls = enabled;
    return "syscall events";
  }
  if (way === "graph" && graph) {
    return within ? "graph calls" : "graph returns";
  }
  throw new CompileError(nothingDelivers(draft, facts, within), draft.spec.at);
}

function nothingDelivers(
  draft: Draft,
  facts: TargetFacts,
  within: boolean,
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
  const reasons = [
    why,
    calls.length > 0 ? "the events of the system call are not enabled" : "",
  ].filter((each) => each !== "").join(", and ");
  const boot = "boot it with ftrace=function_graph" +
    (draft.functions !== undefined && draft.functions.length <= 4
      ? ` ftrace_graph_filter=${
        draft.functions.map((each) => each.name).join(",")
      }`
      : "") +
    (parameters.length > 0 ? ` or trace_event=${parameters.join(",")}` : "");
  return facts.live
    ? `${facts.target} shows no calls of ${draft.title}: ${reasons}; ${boot}, set the tracer inside the guest, or use --tracer function_graph where the guest's module is loaded`
    : `the recording ${facts.target} holds no calls of ${draft.title}: ${reasons}; record one of a guest that traces them`;
}
