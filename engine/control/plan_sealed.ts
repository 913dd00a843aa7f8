/**
 * Plans `xftrace on` with the guest's module: a sealed trace.
 *
 * @module
 */
import { EXIT, XftraceError } from "../base/errors.ts";
import { isGlob } from "../base/glob.ts";
import { functionIndex } from "../kernel/functions/index.ts";
import {
  functionNotes,
  type NamedFunctions,
  resolveFunctions,
} from "../kernel/functions/resolve.ts";
import type { SealName } from "../seal/page/abi.ts";
import { ENTRY } from "../seal/page/abi.ts";
import type { SealedTracer } from "../seal/tracer/sealed_tracer.ts";
import type { Session } from "../session.ts";
import { lookAtSteps } from "./look.ts";
import { usesSharedFilter } from "./module_commands.ts";
import type { DecodePass, Plan, PlannedStep } from "./plan.ts";
import { onPlan } from "./plan_plain.ts";
import type { ControlTarget } from "./target.ts";

/** The options of the plan. */
export interface SealedRequest {
  /** System calls and kernel functions, by name. */
  readonly functions: readonly string[];
  /**
   * Functions and globs that are recorded below them; `all` means all
   * functions.
   */
  readonly filter: readonly string[];
  readonly seal: SealName;
  /** Interval between two keys of a CPU, in milliseconds. */
  readonly rotateMs: number;
  /** Levels below a root, including the root; 0: all. */
  readonly depth: number;
  readonly interrupts: boolean;
  readonly arguments: boolean;
  readonly hooks: boolean;
  /** Paths of the recording and the key log, for display. */
  readonly files: { readonly recording: string; readonly klog: string };
}

/** The settings for the module, with defaults filled in. */
export interface SealedSettings {
  readonly seal: SealName;
  /** Kernel functions by name. */
  readonly roots: string[];
  /** Kernel functions by name, and globs. */
  readonly filter: string[] | "all";
  readonly depth: number;
  readonly interrupts: boolean;
  readonly arguments: boolean;
  readonly hooks: boolean;
}

/** A plan for a sealed trace. */
export interface SealedPlan {
  readonly plan: Plan;
  readonly settings: SealedSettings;
  /** How many functions are traced. */
  readonly traced: number | "all";
}

/**
 * Makes the plan; nothing is written.
 *
 * @throws {KernelError} for a function that the kernel does not have.
 * @throws {XftraceError} when no function is named.
 *
 * @example
 * ```ts ignore
 * import { planSealed, planText } from "xftrace/control";
 * import { openInstance } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 * import { SealedTracer } from "xftrace/seal";
 *
 * await using guest = await open("qemu:web1");
 * const { session } = guest;
 * const tracer = SealedTracer.find(session);
 * if (tracer !== undefined) {
 *   const { plan } = planSealed({ session, ...openInstance(session) }, tracer, {
 *     functions: ["sys_openat"],
 *     filter: [],
 *     depth: 0,
 *     seal: "siphash+ratchet",
 *     interrupts: false,
 *     arguments: true,
 *     hooks: false,
 *     rotateMs: 100,
 *     files: { recording: "web1.xfs", klog: "web1.klog" },
 *   });
 *   console.log(planText(plan));
 * }
 * ```
 */
export function planSealed(
  target: ControlTarget,
  tracer: SealedTracer,
  request: SealedRequest,
): SealedPlan {
  const { session } = target;
  const { settings, named } = resolve(session, request);
  const { roots, filter, depth, seal } = settings;
  const { names } = session.kernel.arch.syscalls;
  const short = (name: string) => names.short(name);
  const steps = lookAtSteps([
    {
      step: {
        control: "module",
        roots: roots.map(short),
        functions: filter === "all" ? filter : [...roots, ...filter].map(short),
        levels: depth,
        sharedFilter: usesSharedFilter(session.kernel),
        config: settings,
      },
    },
    { step: { control: "keys", everyMs: request.rotateMs } },
    { step: { control: "enabled" } },
  ], target);
  const { recording, klog } = request.files;
  return {
    settings,
    traced: tracedBy(steps),
    plan: onPlan(session, {
      seal,
      functions: request.functions.length === 0
        ? ["all functions"]
        : request.functions,
      passes: sealedPasses(tracer, request),
      sinks: [recording, `${klog} (keys)`, "text of what is genuine"],
      steps,
      notes: functionNotes(named),
    }),
  };
}

function resolve(
  { kernel }: Session,
  request: SealedRequest,
): { settings: SealedSettings; named: NamedFunctions[] } {
  const { seal, depth, interrupts, hooks } = request;
  const all = request.filter.includes("all");
  if (request.functions.length === 0 && !all) {
    throw new XftraceError(
      "name the functions that are to be sealed: xftrace on sys_openat; all of them, which is slow: --filter all",
      { exitCode: EXIT.usage },
    );
  }
  const names = (list: readonly NamedFunctions[]) =>
    list.flatMap((one) => one.functions.map(({ name }) => name));
  const index = functionIndex(kernel);
  const named = request.functions.map((name) => resolveFunctions(index, name));
  // The module's tracer expands globs itself, according to what it can trace.
  const below = request.filter.filter((name) => !all && !isGlob(name))
    .map((name) => resolveFunctions(index, name));
  return {
    named,
    settings: {
      seal,
      roots: [...new Set(names(named))],
      filter: all ? "all" : [...request.filter.filter(isGlob), ...names(below)],
      depth,
      interrupts,
      arguments: request.arguments,
      hooks,
    },
  };
}

function tracedBy(steps: readonly PlannedStep[]): number | "all" {
  for (const change of steps.flatMap(({ changes }) => changes ?? [])) {
    if (change.way !== "module") continue;
    for (const one of change.commands) {
      if (one.command === "configure") return one.functions;
    }
  }
  return 0;
}

function sealedPasses(
  { page }: SealedTracer,
  { seal, files }: SealedRequest,
): DecodePass[] {
  const cpus = page.cpus.map(({ cpu }) => cpu).join(", ");
  const mib = (page.cpus[0]?.entries ?? 0) * ENTRY.bytes / 1048576;
  return [
    ["entries", `cpu ${cpus}, ${mib} MiB a ring, losses are counted`],
    ["unseal", `each entry, ${seal}, with the keys of ${files.klog}`],
    ["graph", "calls"],
    ["merge", "by time stamp"],
  ].map(([what, text]) => ({ what, text, reason: "" }));
}
