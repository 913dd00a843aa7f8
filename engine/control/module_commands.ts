/**
 * Steers the guest's module: commands in its mailbox, and the switch on its
 * control page.
 *
 * @module
 */
import { KernelError, XftraceError } from "../base/errors.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { CONTROL } from "../seal/page/abi.ts";
import { ControlPage } from "../seal/page/control_page.ts";
import type { SealedOptions } from "../seal/tracer/running_trace.ts";
import {
  SealedTracer,
  type TracerSession,
} from "../seal/tracer/sealed_tracer.ts";
import { resolveConfig } from "../seal/tracer/trace_config.ts";
import type { ControlStep, ModuleChange } from "./plan.ts";
import type { TracefsAccess } from "./tracefs.ts";

/** Steps that the module carries out. */
type ModuleStep = Extract<
  ControlStep,
  { readonly control: "module" | "keys" | "enabled" }
>;

/**
 * The words of the control page that a step changes, and the commands given
 * through them. Keys are not listed: they are put into slots for as long as the
 * trace runs.
 *
 * @throws {KernelError} for a function that the kernel does not have.
 */
export function moduleChanges(
  kernel: Kernel,
  step: ModuleStep,
): ModuleChange[] {
  const page = ControlPage.find(kernel);
  if (page === undefined || step.control === "keys") return [];
  if (step.control === "enabled") {
    return [{
      way: "module",
      where: "xft_control.enabled",
      gva: page.gva + BigInt(CONTROL.enabled),
      width: 4,
      before: 0n,
      after: 1n,
      commands: [],
    }];
  }
  const { roots, filter } = resolveConfig(kernel, step.config);
  const commands = [
    { command: "reset" },
    {
      command: "configure",
      roots: roots.length,
      functions: step.config.filter === "all" ? "all" : filter.length,
    },
  ] as const;
  const number = page.u64(CONTROL.command_number);
  return [{
    way: "module",
    where: "xft_control.command_number",
    gva: page.gva + BigInt(CONTROL.command_number),
    width: 8,
    before: number,
    after: number + BigInt(commands.length),
    commands,
  }];
}

/**
 * Whether the kernel has one filter for all users of the function graph, so
 * that the module must use that of `set_ftrace_filter`. Since "function_graph:
 * Add the fgraph_ops its own ftrace_ops", each user has its own.
 */
export function usesSharedFilter({ types }: Kernel): boolean {
  if (types.tryOffset("fgraph_ops", "ops") !== undefined) return false;
  // Each user's number came in the same series (6.11).
  if (types.tryOffset("fgraph_ops", "idx") === undefined) return true;
  throw new KernelError(
    "this kernel keeps the filters of function graphs where xftrace does not " +
      "know: struct fgraph_ops has idx, but no ops",
  );
}

/**
 * The guest's module for which a plan was made.
 *
 * @throws {XftraceError} when it is no longer loaded.
 */
export function requireTracer(session: TracerSession): SealedTracer {
  const tracer = SealedTracer.find(session);
  if (tracer !== undefined) return tracer;
  throw new XftraceError(
    "the guest's module is gone since the plan was made; load it again",
  );
}

/** The mailbox of the guest's module; `undefined` when it is not loaded. */
export function mailboxOf(session: TracerSession): TracefsAccess | undefined {
  return SealedTracer.find(session)?.mailbox;
}

/**
 * Takes over a trace whose collector has ended without stopping it.
 *
 * @throws {XftraceError} when the module is no longer loaded, or runs another
 * trace.
 *
 * @example
 * ```ts ignore
 * import { resumeModule } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1", { steered: true });
 * guest.session.memory.makeWritable();
 * const tracer = resumeModule(guest.session, {
 *   roots: ["sys_openat"],
 *   klogPath: "web1.klog",
 *   recordingPath: "web1.xfs",
 * });
 * tracer.poll();
 * await tracer.stop();
 * ```
 */
export function resumeModule(
  session: TracerSession,
  options: SealedOptions,
): SealedTracer {
  const tracer = requireTracer(session);
  tracer.resume(options);
  return tracer;
}

/**
 * Carries out a plan's steps `module`, `keys` and `enabled`. The module records
 * from then on, and the caller must poll the returned tracer.
 *
 * @throws {XftraceError} when the module is no longer loaded or refuses; it is
 * left switched off.
 *
 * @example
 * ```ts ignore
 * import { startModule } from "xftrace/control";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1", { steered: true });
 * guest.session.memory.makeWritable();
 * const tracer = await startModule(guest.session, {
 *   roots: ["sys_openat"],
 *   klogPath: "web1.klog",
 *   recordingPath: "web1.xfs",
 * });
 * tracer.poll();
 * await tracer.stop();
 * ```
 */
export async function startModule(
  session: TracerSession,
  options: SealedOptions,
): Promise<SealedTracer> {
  const tracer = requireTracer(session);
  await tracer.start(options);
  return tracer;
}
