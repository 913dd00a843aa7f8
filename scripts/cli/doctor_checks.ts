/**
 * The checks of `xftrace doctor`: what a guest has, what it lacks, and what to
 * do about it.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import {
  openInstance,
  readGraphRoots,
  TraceArray,
  TraceEvents,
  traceLayout,
  tracerTypes,
} from "xftrace/ftrace";
import type { Kernel } from "xftrace/kernel";
import { selfTest } from "xftrace/output";
import {
  backingText,
  mayOpen,
  shareAdvice,
  TRACE_PARAMETERS,
  type VmProcess,
} from "xftrace/targets";
import { count, size } from "./terminal.ts";

/** The result of one check. */
export interface DoctorCheck {
  /** Stable name, such as `memory.write`; docs/json.md lists them. */
  readonly id: string;
  /** `hint`: works, could be better; `problem`: does not work. */
  readonly status: "ok" | "hint" | "problem";
  /** What was found, one sentence. */
  readonly found: string;
  /** What to do, one step each; empty when nothing. */
  readonly fix: readonly string[];
}

const ok = (id: string, found: string): DoctorCheck => ({
  id,
  status: "ok",
  found,
  fix: [],
});
const hint = (id: string, found: string, ...fix: string[]): DoctorCheck => ({
  id,
  status: "hint",
  found,
  fix,
});
const problem = (id: string, found: string, ...fix: string[]): DoctorCheck => ({
  id,
  status: "problem",
  found,
  fix,
});

/** Checks of a VM that need its process only, not its memory. */
export function vmChecks(vm: VmProcess): DoctorCheck[] {
  const what = [vm.kind, vm.machine, vm.accel, vm.libvirt ? "libvirt" : ""]
    .filter((word) => word !== "").join(", ");
  const checks: DoctorCheck[] = [
    ok(
      "vm",
      `${vm.named ? vm.name : "a VM without a name"} runs as process ` +
        `${vm.pid} (${what})` +
        (vm.memoryBytes > 0 ? ` with ${size(vm.memoryBytes)} of RAM` : ""),
    ),
  ];
  if (vm.confidential !== undefined) {
    checks.push(problem(
      "vm.confidential",
      `it is a confidential guest (${vm.confidential}): its memory is ` +
        `encrypted, and nobody on the host can read it`,
      "trace it from inside, or run it without memory encryption",
    ));
    return checks;
  }
  if (vm.askable === true && vm.qmpSocket !== undefined && !vm.libvirt) {
    checks.push(hint(
      "memory",
      `${vm.whyNot}: its monitor at ${vm.qmpSocket} is asked`,
    ));
    return checks;
  }
  if (!vm.attachable) {
    checks.push(problem("memory", `it cannot be read: ${vm.whyNot}`));
    return checks;
  }
  const [plan] = vm.plans;
  if (plan.access === "map") {
    checks.push(ok("memory", `its memory can be mapped: ${backingText(vm)}`));
  } else {
    checks.push(hint(
      "memory",
      "its memory is private to its process: it is read through " +
        `${plan.memPath}, which works but is slower`,
      ...shareAdvice(vm),
    ));
  }
  const paths = plan.access === "map"
    ? plan.backings.map((backing) => backing.open)
    : [plan.memPath];
  const locked = paths.find((path) =>
    path !== undefined && !mayOpen(path, "r+")
  );
  checks.push(
    locked === undefined ? ok("memory.write", "it can be steered") : hint(
      "memory.write",
      `it can be read but not steered: no permission to write ${locked}`,
      "run on, off and status as root or as the VM's own user",
    ),
  );
  return checks;
}

/** Checks of an open target: its kernel and its Ftrace. */
export function sessionChecks(session: Session): DoctorCheck[] {
  const { kernel } = session;
  const { facts } = kernel;
  const checks = [
    ok(
      "kernel",
      `Linux ${facts.release}, ${count(kernel.symbols.count)} symbols, ` +
        `${
          count(kernel.types.count)
        } types, ${kernel.space.tables.levels}-level ` +
        `paging; the memory layout agrees with the guest's own map`,
    ),
    facts.vmcoreinfo !== undefined
      ? ok("kernel.vmcoreinfo", "it tells where it is (vmcoreinfo)")
      : hint(
        "kernel.vmcoreinfo",
        "it has no vmcoreinfo and was found by its symbol table: slower, and " +
          "snapshots cannot be opened by drgn and crash",
        "build the kernel with CONFIG_CRASH_CORE (or VMCORE_INFO)",
      ),
  ];
  const all = [ftraceChecks, tracerChecks, eventChecks, knownChecks];
  for (const check of all) {
    try {
      checks.push(...check(kernel, session));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      checks.push(problem("ftrace", error.message));
    }
  }
  return checks;
}

function ftraceChecks(kernel: Kernel): DoctorCheck[] {
  traceLayout(kernel.types);
  const top = TraceArray.global(kernel);
  const cpus = top.buffer().cpuBuffers();
  const pageSize = top.buffer().pageSize;
  const bytes = cpus.reduce((sum, cpu) => sum + cpu.counters().pages, 0) *
    pageSize;
  const each = `${size(bytes)} in ${cpus.length} buffers`;
  const small = bytes / cpus.length < 2 ** 20;
  return [
    ok(
      "ftrace",
      `tracer ${top.tracer}, recording ${top.recording ? "on" : "off"}`,
    ),
    small
      ? hint(
        "ftrace.buffers",
        `its trace buffers are small (${each}): under load they lap before ` +
          `they are read`,
        "kernel parameter: trace_buf_size=16M",
        "or in the guest: echo 16384 > /sys/kernel/tracing/buffer_size_kb",
      )
      : ok("ftrace.buffers", `its trace buffers hold ${each}`),
  ];
}

/** Whether everything that is read of this kernel is as in a known one. */
function knownChecks(_: Kernel, session: Session): DoctorCheck[] {
  const tests = selfTest(openInstance(session));
  const unknown = tests.filter((test) => !test.known);
  if (unknown.length === 0) {
    const found = tests.filter(({ part }) => SHOWN_PARTS.has(part))
      .map((test) => test.found);
    return [ok("ftrace.known", `its Ftrace is known: ${found.join(", ")}`)];
  }
  return unknown.map(({ part, found }) =>
    hint(
      `ftrace.known.${part}`,
      found,
      "what depends on it is refused; the rest works",
    )
  );
}

/** The parts of the self-test with a figure that tells something. */
const SHOWN_PARTS: ReadonlySet<string> = new Set([
  "options",
  "flags",
  "tracers",
  "events",
]);

function tracerChecks(kernel: Kernel): DoctorCheck[] {
  const known = tracerTypes(kernel).map(({ name }) => name);
  if (!known.includes("function_graph")) {
    return [problem(
      "ftrace.graph",
      `its kernel has no function_graph tracer` +
        (known.length > 0 ? ` (it has ${known.join(", ")})` : ""),
      "use a kernel with CONFIG_FUNCTION_GRAPH_TRACER",
    )];
  }
  const { tracer } = TraceArray.global(kernel);
  if (tracer !== "function_graph") {
    return [hint(
      "ftrace.graph",
      `the function_graph tracer is not running (tracer ${tracer}), and a ` +
        `stock kernel cannot be told to start it from outside`,
      `kernel parameters: ${TRACE_PARAMETERS}`,
      "or in the guest: echo function_graph > /sys/kernel/tracing/current_tracer",
      "or from here, where QEMU's guest agent runs in it: xftrace guest install -t TARGET, or xftrace on --agent --tracer function_graph",
    )];
  }
  const roots = readGraphRoots(kernel);
  return [
    ok("ftrace.graph", "the function_graph tracer is running"),
    roots.capacity > 0
      ? ok(
        "ftrace.roots",
        `${roots.capacity} graph roots can be set from outside`,
      )
      : hint(
        "ftrace.roots",
        "it was started without graph roots: every function is traced, and " +
          "the functions given to `on` are picked out on the host",
        "kernel parameter: ftrace_graph_filter=FUNCTION,FUNCTION (as many as " +
          "are ever wanted at once; which ones can be changed from outside)",
      ),
  ];
}

function eventChecks(kernel: Kernel): DoctorCheck[] {
  const events = new TraceEvents(kernel).all().length;
  return [ok("ftrace.events", `${count(events)} trace events are known`)];
}

/** Makes a check with status `problem` of an error. */
export function errorCheck(id: string, error: XftraceError): DoctorCheck {
  return problem(id, error.message);
}
