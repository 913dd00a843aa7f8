/**
 * What a guest says about itself, and whether `info` says the same.
 *
 * @module
 */
import type { Guest } from "../../../lab/mod.ts";
import type { Info } from "../../../scripts/cli/commands/info.ts";
import { SLOW, TRACEFS } from "../support_fixture.ts";

/** Records function_graph and events for a short time, and stops. */
const RECORD = `
cd ${TRACEFS}
echo 0 > tracing_on
echo 2048 > buffer_size_kb
echo 'vfs_*' > set_ftrace_filter
echo 'do_sys*' >> set_ftrace_filter
echo function_graph > current_tracer
echo funcgraph-tail > trace_options
for event in sched/sched_switch sched/sched_waking irq syscalls/sys_enter_openat \
  syscalls/sys_exit_openat timer/hrtimer_start; do
  echo 1 > events/$event/enable
done
mkdir instances/second
echo 1 > instances/second/events/sched/sched_switch/enable
echo 1 > tracing_on
find /proc/self /sys/kernel/tracing/events/irq > /dev/null 2>&1
ls -lR /proc/1 > /dev/null 2>&1
echo 0 > instances/second/tracing_on
echo 0 > tracing_on`;

/** Commands that print a guest's facts, by their names in `info --json`. */
export interface GuestFacts {
  readonly [name: string]: string;
}

const FACTS: Record<string, string> = {
  release: "uname -r",
  banner: "cat /proc/version",
  buildId: `od -An -v -tx1 /sys/kernel/notes | tr -d ' \\n'`,
  text: `grep -m1 -E ' [tT] _text$' /proc/kallsyms | cut -d' ' -f1`,
  la57: "grep -cw la57 /proc/cpuinfo; true",
  possible: "cat /sys/devices/system/cpu/possible",
  online: "nproc",
  modules: "cut -d' ' -f1 /proc/modules",
  tracer: `cat ${TRACEFS}/current_tracer`,
  recording: `cat ${TRACEFS}/tracing_on`,
  clock: `tr ' ' '\\n' < ${TRACEFS}/trace_clock | grep '\\['`,
  depth: `cat ${TRACEFS}/max_graph_depth`,
  options: `cat ${TRACEFS}/trace_options`,
  events: `cat ${TRACEFS}/set_event`,
  instances: `ls ${TRACEFS}/instances`,
  stats: `cd ${TRACEFS}/per_cpu; for c in cpu*; do echo $c;
    grep -E '^(entries|overrun|read events|dropped events):' $c/stats; done`,
};

/** What a guest says after it has recorded. */
export interface Recorded {
  readonly facts: GuestFacts;
  /** The top level's trace file. */
  readonly trace: string;
  /** The instance's trace file. */
  readonly second: string;
}

/** Makes the guest record and stop, and asks it for its facts. */
export async function record(guest: Guest): Promise<Recorded> {
  await guest.sh(RECORD, SLOW);
  const mark = "----- ";
  const script = Object.entries(FACTS)
    .map(([name, command]) => `echo '${mark}${name}'; (${command}); echo`)
    .join("\n");
  const text = await guest.sh(script, SLOW);
  const facts: Record<string, string> = {};
  for (const part of `\n${text}`.split(`\n${mark}`).slice(1)) {
    const end = part.indexOf("\n");
    facts[part.slice(0, end)] = part.slice(end + 1).trim();
  }
  const read = async (path: string) => {
    const { output } = await guest.exec(`cat ${TRACEFS}/${path}`, SLOW);
    return new TextDecoder().decode(output);
  };
  return {
    facts,
    trace: await read("trace"),
    second: await read("instances/second/trace"),
  };
}

/** Where `info` differs from what the guest says, one line each. */
export function infoMismatches(
  info: Info,
  facts: GuestFacts,
  expected: { readonly bytes?: number; readonly online: boolean },
): string[] {
  const wrong: string[] = [];
  const same = (name: string, got: unknown, want: unknown) => {
    const a = JSON.stringify(got);
    const b = JSON.stringify(want);
    if (a !== b) wrong.push(`${name}: info ${a}, guest ${b}`);
  };
  const { kernel, ftrace } = info;
  const words = (name: string) =>
    facts[name].split(/\s+/).filter((word) => word !== "").sort();
  same("release", kernel.release, facts.release);
  same("banner", kernel.banner, facts.banner);
  same("build id", facts.buildId.includes(kernel.buildId ?? "none"), true);
  const text = BigInt(`0x${facts.text}`) - 0xffffffff81000000n;
  same("kaslr offset", kernel.kaslrOffset, `0x${text.toString(16)}`);
  same("paging", kernel.pagingLevels, facts.la57 === "0" ? 4 : 5);
  same("CPUs", kernel.cpus.possible, lastCpu(facts.possible) + 1);
  if (expected.online) {
    same("online", kernel.cpus.online.length, Number(facts.online));
  }
  if (expected.bytes !== undefined) {
    same("RAM", kernel.memory, expected.bytes);
  }
  same("modules", [...kernel.modules].sort(), words("modules"));
  same("tracer", ftrace.tracer, facts.tracer);
  same("recording", ftrace.recording, facts.recording === "1");
  same("clock", `[${ftrace.clock}]`, facts.clock);
  same("depth", ftrace.maxGraphDepth, Number(facts.depth));
  same(
    "options",
    ftrace.options.map(({ name, set }) => set ? name : `no${name}`).sort(),
    words("options"),
  );
  same("events", [...ftrace.events.enabled].sort(), words("events"));
  same("instances", [...ftrace.instances].sort(), words("instances"));
  const stats = ftrace.buffers.map((cpu) => [
    `cpu${cpu.cpu}`,
    `entries: ${cpu.entries - cpu.overrun - cpu.read}`,
    `overrun: ${cpu.overrun}`,
    `dropped events: ${cpu.dropped}`,
    `read events: ${cpu.read}`,
  ]).flat();
  same("stats", stats, facts.stats.split("\n").map((line) => line.trim()));
  return wrong;
}

function lastCpu(list: string): number {
  return Number(/(\d+)$/.exec(list)?.[1] ?? 0);
}
