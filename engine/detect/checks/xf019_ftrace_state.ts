/**
 * XF019: Ftrace's own state.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import { RB_BUFFER_OFF, TraceArray } from "../../ftrace/ring/trace_array.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { SITE } from "../../kernel/patching/ftrace_ops.ts";
import { compareTold } from "../core/told_state.ts";
import type { CheckContext } from "../core/context.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Checks the switches of Ftrace itself, in memory. */
export const ftraceState: Check = {
  id: "XF019",
  title: "Ftrace's own state",
  technique: "T1562.006",
  help:
    "Ftrace's switches agree with each other and with what was asked for: ftrace_enabled with what sysctl set last, tracing_on with the instance's own mark, recording on every CPU that is to be traced. With --tracefs or --ask-guest also with what the guest's tracefs says. Rootkits switch Ftrace off and fake what tracefs says; memory is read here.",
  run(context, report) {
    report.part("ftrace_enabled", () => enabled(context, report));
    report.part("instances", () => {
      for (const instance of TraceArray.all(context.kernel)) {
        judgeInstance(context, report, instance);
      }
    });
    report.part("current tracer", () => asked(context, report));
    const told = context.options.tracing?.told;
    if (told !== undefined) compareTold(context.kernel, report, told);
  },
};

/**
 * sysctl keeps the value that was set last beside the switch
 * (ftrace_enable_sysctl).
 */
function enabled(context: CheckContext, report: Report): void {
  const { symbols, space } = context.kernel;
  const at = symbols.tryAddress("ftrace_enabled");
  const last = symbols.tryAddress("last_ftrace_enabled");
  const dead = symbols.tryAddress("ftrace_disabled");
  if (at === undefined) {
    report.unjudged("ftrace_enabled", "the kernel has no such symbol");
    return;
  }
  if (last === undefined) {
    report.unjudged("last_ftrace_enabled", "the kernel has no such symbol");
  }
  report.judged(2);
  const now = space.u32(at);
  const asked = last === undefined ? now : space.u32(last);
  const behind = (now !== 0) !== (asked !== 0);
  const killed = behind && now === 0 && isShutDown(context.kernel);
  if (behind && !killed) {
    report.finding({
      severity: "critical",
      where: "ftrace_enabled",
      address: at,
      expected: `${asked} (last_ftrace_enabled)`,
      found: String(now),
      summary:
        `ftrace_enabled is ${now}, but sysctl set ${asked} last: it was written behind sysctl's back`,
    });
  }
  // sysctl takes all calls of Ftrace out of the text before it clears this.
  const calls = now === 0 && !behind ? callingSites(context) : 0;
  if (calls > 0) {
    report.finding({
      severity: "critical",
      where: "ftrace_enabled",
      address: at,
      expected: `1 (${calls} functions still call Ftrace)`,
      found: "0",
      varies: true,
      summary:
        `ftrace_enabled is 0, but ${calls} functions still call Ftrace: it was written behind sysctl's back`,
    });
  }
  report.known(`ftrace_enabled is ${now}`);
  if (dead !== undefined && space.u32(dead) !== 0) {
    report.finding({
      severity: killed ? "high" : "medium",
      where: "ftrace_disabled",
      address: dead,
      expected: "0",
      found: String(space.u32(dead)),
      summary: `Ftrace has shut itself off for good (ftrace_disabled${
        killed ? ", and ftrace_enabled with it" : ""
      }): it met text that it did not expect, or something made it so`,
    });
  }
}

/** include/linux/panic.h: TAINT_WARN, the bit of a kernel that has warned. */
const TAINT_WARN = 9n;

/**
 * Whether the kernel itself has shut Ftrace off, which leaves sysctl's word as
 * it was (ftrace_kill in kernel/trace/ftrace.c): it has warned of what it met,
 * has put the stub in the place of the traced function, and since 1a7d0890dd4a
 * (6.9) has told kprobes. Without one of these, somebody else wrote
 * ftrace_enabled.
 */
function isShutDown({ symbols, space }: Kernel): boolean {
  const word = (name: string, read: (gva: bigint) => bigint | number) => {
    const at = symbols.tryAddress(name);
    return at === undefined ? undefined : BigInt(read(at));
  };
  const disabled = word("ftrace_disabled", (at) => space.u32(at));
  const traced = word("ftrace_trace_function", (at) => space.u64(at));
  const taints = word("tainted_mask", (at) => space.u64(at));
  const told = word("kprobe_ftrace_disabled", (at) => space.u8(at));
  return disabled === 1n && traced !== undefined &&
    symbols.addresses("ftrace_stub").includes(traced) &&
    taints !== undefined && (taints >> TAINT_WARN & 1n) === 1n && told !== 0n;
}

/** How many of Ftrace's call sites call it, by their records. */
function callingSites({ sites: { flags } }: CheckContext): number {
  return flags.reduce(
    (count, one) => (one & SITE.enabled) !== 0 ? count + 1 : count,
    0,
  );
}

function judgeInstance(
  { kernel, options }: CheckContext,
  report: Report,
  instance: TraceArray,
): void {
  const { object } = instance;
  const name = instance.name === undefined
    ? "the top-level instance"
    : `instance ${instance.name}`;
  const buffer = instance.buffer();
  const disabled = buffer.object.number("record_disabled");
  const off = (disabled & RB_BUFFER_OFF) !== 0;
  const address = buffer.object.at("record_disabled");
  report.judged(2);
  const wanted = instance.name === undefined
    ? options.tracing?.tracingOn
    : undefined;
  if (wanted !== undefined && wanted === off) {
    report.finding({
      severity: "critical",
      where: `tracing_on of ${name}`,
      address,
      expected: wanted ? "1 (asked for)" : "0 (asked for)",
      found: off ? "0" : "1",
      summary: `tracing_on of ${name} is ${off ? 0 : 1}, but ${
        off ? 1 : 0
      } was asked for`,
    });
  } else if (wanted === undefined && object.has("buffer_disabled")) {
    // tracefs changes both (tracer_tracing_off); a direct write to memory
    // changes only one.
    const marked = object.number("buffer_disabled") !== 0;
    if (off && !marked) {
      report.finding({
        severity: "high",
        where: `tracing_on of ${name}`,
        address,
        expected: "1 (buffer_disabled is 0)",
        found: `0 (record_disabled is ${hex(disabled)})`,
        varies: true,
        summary:
          `recording of ${name} was switched off, but not through tracefs (record_disabled is ${
            hex(disabled)
          }, buffer_disabled is 0)`,
      });
    }
  }
  const stopped = object.has("stop_count") ? object.s32("stop_count") : 0;
  const held = disabled & (RB_BUFFER_OFF - 1);
  if (held !== 0 && stopped === 0) {
    report.finding({
      severity: "high",
      where: `recording of ${name}`,
      address,
      expected: "no one holds it (stop_count is 0)",
      found: `held ${held} times`,
      varies: true,
      // The kernel holds it itself while it resizes or reads a buffer
      // (ring_buffer_resize, tracing_snapshot_instance_cond).
      brief: kernel.memory.live,
      summary:
        `recording of ${name} is held off ${held} times, but nobody stopped it through Ftrace (stop_count is 0)`,
    });
  }
  if (stopped !== 0) {
    report.passing(
      `recording of ${name}`,
      `something in the guest has stopped it (stop_count is ${stopped}), which hides who else has`,
    );
  }
  cpus(kernel.cpuIds, instance, name, report);
}

/**
 * A CPU that is selected for tracing must not have its buffer disabled
 * separately.
 */
function cpus(
  cpuIds: number,
  instance: TraceArray,
  name: string,
  report: Report,
): void {
  const { kernel, object } = instance;
  // With CPUMASK_OFFSTACK it is a pointer, otherwise the mask itself.
  const member = object.member("tracing_cpumask");
  const mask = member.size === 8 && member.typeName.includes("*")
    ? object.u64("tracing_cpumask")
    : object.at("tracing_cpumask");
  const asked = (cpu: number) =>
    ((kernel.space.u8(mask + BigInt(cpu >> 3)) >> (cpu & 7)) & 1) === 1;
  const stopped = object.has("stop_count") ? object.s32("stop_count") : 0;
  for (const cpu of instance.buffer().cpuBuffers()) {
    if (cpu.cpu >= cpuIds) continue;
    report.judged(1);
    const at = kernel.object("ring_buffer_per_cpu", cpu.object.gva);
    const held = at.s32("record_disabled");
    if (held === 0 || !asked(cpu.cpu) || stopped > 0) continue;
    report.finding({
      severity: "high",
      where: `recording of ${name} on CPU ${cpu.cpu}`,
      address: at.at("record_disabled"),
      expected: "0 (tracing_cpumask has the CPU)",
      found: String(held),
      varies: true,
      brief: kernel.memory.live, // As above (ring_buffer_reset_cpu).
      summary:
        `recording of ${name} is off on CPU ${cpu.cpu} (record_disabled is ${held}), though tracing_cpumask has it`,
    });
  }
}

function asked({ kernel, options }: CheckContext, report: Report): void {
  const instance = TraceArray.global(kernel);
  report.known(
    `the tracer is ${instance.tracer}, recording is ${
      instance.recording ? "on" : "off"
    }`,
  );
  const wanted = options.tracing?.tracer;
  if (wanted === undefined || wanted === instance.tracer) return;
  report.finding({
    severity: "critical",
    where: "current_tracer",
    address: instance.object.at("current_trace"),
    expected: `${wanted} (asked for)`,
    found: instance.tracer,
    summary: `the tracer is ${instance.tracer}, but ${wanted} was asked for`,
  });
}
