/**
 * Compiles a script's queries to a program for one target, pass by pass; each
 * pass is a file of this folder.
 *
 * @module
 */
import {
  asksChildren,
  asksProcess,
  conjuncts,
} from "../../engine/query/expression.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import type { Plan } from "../../engine/control/plan.ts";
import type {
  FunctionTarget,
  Program,
  Selection,
  Stream,
  SyscallTarget,
} from "../../engine/query/program.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import type {
  FunctionRef,
  Moment,
  QuerySpec,
  TraceSpec,
} from "../../engine/query/spec.ts";
import { CompileError } from "../errors.ts";
import { checkFields, fieldsOf } from "./check_fields.ts";
import { choosePasses } from "./choose_passes.ts";
import { chooseSource } from "./choose_source.ts";
import type { Draft, Notes } from "./draft.ts";
import { syscallEvents } from "./syscall_events.ts";
import { untilText } from "./moments.ts";
import { namedFields } from "./named_fields.ts";
import { narrowFunctions } from "./narrow_functions.ts";
import { orderWrites } from "./order_writes.ts";
import { pushDown } from "./push_down.ts";
import { byName, functionsOf, resolveEvent } from "./resolve_names.ts";

/** How to compile. */
export interface CompileOptions {
  /** Have the guest narrow down what it records, where it can; default true. */
  readonly push?: boolean;
}

/**
 * Compiles queries for a target. Queries of the same trace share one stream, so
 * that the trace runs once.
 *
 * @throws {CompileError} when the target cannot deliver what a query needs.
 *
 * @example
 * ```ts
 * import { compile, open, openRunTarget, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { facts } = openRunTarget(guest.session);
 * const { plan } = compile([trace(sys_openat).count().spec], facts);
 * console.log(plan.notes);
 * ```
 */
export function compile(
  queries: readonly QuerySpec[],
  facts: TargetFacts,
  options: CompileOptions = {},
): Program {
  if (queries.length === 0) {
    throw new CompileError(
      "the script asks for nothing: end a trace with a sink, as in trace(sys_openat).count(comm)",
    );
  }
  const { push = true } = options;
  const sentences: string[] = [];
  const notes: Notes = {
    note: (sentence) => {
      if (!sentences.includes(sentence)) sentences.push(sentence);
    },
  };
  const drafts = bySpec(queries).map(([spec, sinks]) =>
    draftOf(spec, sinks, facts, notes, push)
  );
  const pushed = pushDown(drafts, facts, push, notes);
  const steps = orderWrites(pushed.steps);
  const streams = drafts.map((draft): Stream => ({
    title: draft.title,
    select: selection(draft),
    fields: draft.fields,
    filters: [
      ...draft.residual.map((node) => ({ kind: "expression" as const, node })),
      ...draft.spec.filters.filter((filter) => filter.kind === "closure"),
    ],
    from: draft.spec.from,
    until: draft.spec.until,
    markers: draft.markers,
    every: draft.spec.every,
    inside: draft.inside,
    callers: draft.under.length === 0 && namedFields(draft).has("caller"),
    sinks: draft.sinks,
    planned: {
      title: draft.title,
      until: untilText(draft.spec.until, facts.live),
      via: draft.via,
      passes: choosePasses(draft, facts, pushed, push),
      sinks: draft.sinks.map(({ sink }) => sinkKind(sink).text(sink)),
    },
  }));
  const plan: Plan = {
    format: 1,
    target: facts.target,
    kernel: facts.kernel,
    seal: pushed.module.seal,
    live: facts.live,
    traces: streams.map((stream) => stream.planned),
    steps,
    notes: sentences,
  };
  return {
    plan,
    streams,
    asksProcesses: drafts.some((draft) =>
      draft.spec.filters.some((filter) =>
        filter.kind === "expression" && asksProcess(filter.node)
      )
    ),
  };
}

/** Groups queries by their trace. */
function bySpec(
  queries: readonly QuerySpec[],
): [TraceSpec, Draft["sinks"]][] {
  const groups = new Map<TraceSpec, Draft["sinks"][number][]>();
  queries.forEach(({ trace, sink }, query) => {
    const sinks = groups.get(trace) ?? [];
    sinks.push({ sink, query });
    groups.set(trace, sinks);
  });
  return [...groups];
}

function draftOf(
  spec: TraceSpec,
  sinks: Draft["sinks"],
  facts: TargetFacts,
  notes: Notes,
  push: boolean,
): Draft {
  const { source } = spec;
  const outdated = new Set<string>();
  const refs = source.kind === "calls" ? source.functions : source.names;
  const draft: Draft = {
    spec,
    title: refs.length === 0
      ? "all functions"
      : refs.map((ref) => ref.name).join(", "),
    sinks,
    functions: undefined,
    under: unique(
      spec.under.flatMap((ref) => functionsOf(ref, facts, notes, new Set())),
    ),
    outdated,
    allSyscalls: false,
    syscalls: [],
    ids: [],
    markers: new Map(),
    via: "events",
    inside: sinks.some(({ sink }) => sinkKind(sink).inside === true),
    fields: new Map(),
    residual: spec.filters.flatMap((filter) =>
      filter.kind === "expression" ? conjuncts(filter.node) : []
    ),
    enable: new Set(),
    moduleReason: "",
  };
  if (source.kind === "calls") {
    // trace("*") means the same as trace(): every function.
    const all = refs.length === 0 || refs.some((ref) => ref.name === "*");
    draft.functions = all ? undefined : unique(
      refs.flatMap((ref) => functionsOf(ref, facts, notes, outdated)),
    );
    const { syscalls } = facts.functions;
    draft.allSyscalls = !all &&
      refs.every((ref) => syscalls.isSyscall(ref.name));
    if (draft.allSyscalls) {
      draft.syscalls = syscallEvents(draft.functions ?? [], facts);
    }
  } else draft.ids = eventIds(refs, facts, notes, draft.enable);
  draft.markers = markersOf(spec, facts, notes, draft.enable);
  enableForks(draft, facts);
  if (push) narrowFunctions(draft, facts, notes);
  draft.via = chooseSource(draft, facts, notes, push);
  draft.fields = fieldsOf(draft, facts);
  checkFields(draft, facts);
  if (
    draft.via === "syscall events" && facts.live &&
    [...draft.fields].some(([path, kind]) =>
      path.startsWith("args.") && kind === "text" &&
      !isRecorded(path.slice("args.".length), draft.syscalls)
    )
  ) {
    notes.note(
      "texts among the arguments are read from the process's memory some ms after the call: a process may have changed them meanwhile",
    );
  }
  return draft;
}

/** Whether the events of all calls with that argument hold its text. */
function isRecorded(name: string, calls: readonly SyscallTarget[]): boolean {
  return calls.every(({ args, strings }) => {
    const i = args.indexOf(name);
    return i < 0 || strings?.some(({ arg }) => arg === i) === true;
  });
}

function unique(targets: readonly FunctionTarget[]): FunctionTarget[] {
  const byNames = new Map(targets.map((each) => [each.name, each]));
  return [...byNames.values()].sort(byName);
}

/** The most events that one name or glob may enable in the guest. */
const MOST_ENABLED = 100;

/**
 * `withChildren()` follows fork events: has the module enable them, if it can.
 */
function enableForks(draft: Draft, facts: TargetFacts): void {
  if (facts.capabilities.module?.tracefs !== true) return;
  const asked = draft.spec.filters.some((filter) =>
    filter.kind === "expression" && asksChildren(filter.node)
  );
  const fork = facts.events.all.find(({ system, name }) =>
    system === "sched" && name === "sched_process_fork"
  );
  if (asked && fork?.enabled === false) {
    draft.enable.add("sched:sched_process_fork");
  }
}

function eventIds(
  refs: readonly FunctionRef[],
  facts: TargetFacts,
  notes: Notes,
  enable: Set<string>,
): number[] {
  const ids = new Set<number>();
  for (const ref of refs) {
    const found = resolveEvent(ref, facts);
    const able = facts.capabilities.module?.tracefs === true &&
      found.length <= MOST_ENABLED;
    if (able) {
      for (const event of found) {
        ids.add(event.id);
        if (!event.enabled) enable.add(`${event.system}:${event.name}`);
      }
      continue;
    }
    const enabled = found.filter((event) => event.enabled);
    if (enabled.length === 0) {
      const first = `${found[0].system}:${found[0].name}`;
      throw new CompileError(
        facts.live
          ? `event ${ref.name} is not enabled in ${facts.target}: boot it with trace_event=${first}, enable it inside the guest, or load the xftrace module there (\`xftrace guest install\`), which does it for the trace`
          : `event ${ref.name} is not in the recording ${facts.target}: it was not enabled`,
        ref.at,
      );
    }
    if (enabled.length < found.length && !/[*?[]/.test(ref.name)) {
      notes.note(`only some events named ${ref.name} are enabled`);
    }
    for (const event of enabled) ids.add(event.id);
  }
  return [...ids].sort((a, b) => a - b);
}

function markersOf(
  spec: TraceSpec,
  facts: TargetFacts,
  notes: Notes,
  enable: Set<string>,
): Map<Moment, readonly number[]> {
  const markers = new Map<Moment, readonly number[]>();
  for (const moment of [...spec.from, ...spec.until]) {
    if (moment.kind === "event") {
      markers.set(moment, eventIds([moment.name], facts, notes, enable));
    }
  }
  return markers;
}

function selection(draft: Draft): Selection {
  switch (draft.via) {
    case "events":
      return { via: "events", ids: draft.ids };
    case "syscall events":
      return { via: "syscall events", calls: draft.syscalls };
    case "module calls":
      return {
        via: "module calls",
        functions: draft.functions,
        under: draft.under,
        depth: draft.spec.depth,
        calls: draft.syscalls,
      };
    default:
      return {
        via: draft.via,
        functions: draft.functions,
        under: draft.under,
        depth: draft.spec.depth,
      };
  }
}
