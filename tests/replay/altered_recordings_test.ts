/**
 * Kernels that are altered on purpose, made from recordings: their BTF, their
 * symbols and their memory say something else than they were built with. Each
 * is refused by name, for the outputs that need what was altered; what is
 * printed is equal to what the unaltered kernel's recording gives.
 */
import assert from "node:assert/strict";
import { XftraceError } from "../../engine/base/errors.ts";
import { limitDepth, switchRecording } from "../../engine/control/switches.ts";
import { PlannedMemory } from "../../engine/control/words.ts";
import { listEvents } from "../../engine/ftrace/events/event_list.ts";
import { openInstance } from "../../engine/ftrace/ring/open_instance.ts";
import { AskedNames, asking } from "../../engine/kernel/core/asked.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { findFunctions } from "../../engine/kernel/functions/find_functions.ts";
import { collectInfo } from "../../engine/run/guest_info.ts";
import { AlteredRecording } from "./altered_recording_fixture.ts";
import { report } from "./report_fixture.ts";

/** A value as text, without addresses of objects of ours. */
function text(value: unknown): string {
  return JSON.stringify(
    value,
    (_, item) => typeof item === "bigint" ? String(item) : item,
  );
}

const OUTPUTS = {
  report,
  info: (kernel: Kernel) =>
    text(collectInfo(
      { target: "", kernel, ramBytes: 0 },
      openInstance({ kernel }),
    )),
  events: (kernel: Kernel) => {
    const { events, instance } = openInstance({ kernel });
    return text([
      listEvents(instance, events),
      events.all().map(({ id }) => events.format(id)),
    ]);
  },
  functions: (kernel: Kernel) => text(findFunctions(kernel, "vfs_*")),
  on: (kernel: Kernel) => {
    const { instance } = openInstance({ kernel });
    const memory = new PlannedMemory(kernel);
    return text([
      switchRecording(memory, instance, !instance.recording),
      limitDepth(memory, 7),
    ]);
  },
} as const;
type Output = keyof typeof OUTPUTS;
const ALL: readonly Output[] = ["report", "info", "events", "functions", "on"];

/** A name that BTF has, and that none of what is renamed has beside it. */
const OTHER = "list_head";

/** An alteration, what says so, and of which outputs. */
type Case = readonly [
  what: string,
  alter: (recording: AlteredRecording) => void,
  says: RegExp,
  refused: readonly Output[],
];

/** Exchanges the names of two options' bits in `trace_options[]`. */
function exchangeOptions(recording: AlteredRecording): void {
  const { space, symbols } = recording.plain;
  const names = symbols.address("trace_options");
  const [first, second] = [space.u64(names), space.u64(names + 8n)];
  recording.put64(names, second);
  recording.put64(names + 8n, first);
}

const CASES: readonly Case[] = [
  [
    "a member is renamed: trace_array.trace_flags",
    (it) => it.renameMember("trace_array", "trace_flags", OTHER),
    /struct trace_array has no trace_flags/,
    ["report", "info"],
  ],
  [
    "a member is renamed: buffer_page.page",
    (it) => it.renameMember("buffer_page", "page", OTHER),
    /buffer_page has no member page/,
    ["report", "info"],
  ],
  [
    "a member is moved: trace_entry.pid",
    (it) => it.moveMember("trace_entry", "pid", 4),
    /struct trace_entry, pid reaches beyond its end/,
    ["report", "info", "events", "on"],
  ],
  [
    "a member is moved: trace_event_call.flags",
    (it) => it.moveMember("trace_event_call", "flags", -8),
    /struct trace_event_call, .* overlap/,
    ["report", "info", "events"],
  ],
  [
    "a struct is larger: tracer_opt",
    (it) => it.resize("tracer_opt", 16),
    /struct tracer_opt does not give \S+ a bit of its own/,
    ["report", "info"],
  ],
  [
    "a struct is larger: ftrace_graph_ent_entry",
    (it) => it.resize("ftrace_graph_ent_entry", 4),
    /funcgraph_entry up to 20, and its types have 24 bytes/,
    ["report"],
  ],
  [
    "a struct is renamed: ftrace_event_field",
    (it) => it.renameStruct("ftrace_event_field", OTHER),
    /no struct ftrace_event_field/,
    ["report", "events"],
  ],
  [
    "an option's bit is moved in the types: context-info",
    (it) => it.setEnumerator("TRACE_ITER_CONTEXT_INFO_BIT", 40),
    /context-info has bit \d+ in trace_options and bit 40 in its types/,
    ["report", "info"],
  ],
  [
    "two options' bits are exchanged by name",
    exchangeOptions,
    /print-parent has bit 1 in trace_options and bit 0 in its types/,
    ["report", "info"],
  ],
  [
    "an enumerator is changed: TRACE_GRAPH_ENT",
    (it) => it.setEnumerator("TRACE_GRAPH_ENT", 12),
    /event ftrace:funcgraph_entry the id 11, .* TRACE_GRAPH_ENT the number 12/,
    ["report"],
  ],
  [
    "an enumerator is changed: TRACE_EVENT_FL_TRACEPOINT",
    (it) => it.setEnumerator("TRACE_EVENT_FL_TRACEPOINT", 1),
    /TRACE_EVENT_FL_TRACEPOINT as 1 and TRACE_EVENT_FL_TRACEPOINT_BIT as/,
    ["report", "info", "events"],
  ],
  [
    "an enumerator is changed: EVENT_FILE_FL_ENABLED",
    (it) => it.setEnumerator("EVENT_FILE_FL_ENABLED", 4),
    /EVENT_FILE_FL_ENABLED as 4 and EVENT_FILE_FL_ENABLED_BIT as 0/,
    ["info", "events"],
  ],
  [
    "an enumerator is renamed: TRACE_FLAG_NEED_RESCHED",
    (it) => it.renameEnumerator("TRACE_FLAG_NEED_RESCHED", OTHER),
    /trace_flag_type has no TRACE_FLAG_NEED_RESCHED/,
    ["report"],
  ],
  [
    "a symbol is missing: savedcmd",
    (it) => it.renameSymbol("savedcmd"),
    /names of tasks .* no symbol savedcmd/,
    ["report"],
  ],
  [
    "a symbol is missing: trace_options",
    (it) => it.renameSymbol("trace_options"),
    /no symbol trace_options/,
    ["info"],
  ],
  [
    "a symbol is missing: fgraph_max_depth",
    (it) => it.renameSymbol("fgraph_max_depth"),
    /no fgraph_max_depth/,
    ["info", "on"],
  ],
  [
    "a symbol is missing: event_class_syscall_exit",
    (it) => it.renameSymbol("event_class_syscall_exit"),
    /no symbol event_class_syscall_exit/,
    ["report", "events"],
  ],
  [
    "a symbol is missing: __irqentry_text_start",
    (it) => it.renameSymbol("__irqentry_text_start"),
    /no symbols __irqentry_text_start/,
    ["report"],
  ],
];

/** An output of a kernel, or why it is refused. */
function outputOf(
  kernel: Kernel,
  output: Output,
): { readonly text: string } | { readonly refused: string } {
  kernel.space.budget.renew();
  try {
    return { text: OUTPUTS[output](kernel) };
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    return { refused: error.message };
  }
}

for (const series of ["6.1", "6.12"]) {
  Deno.test(`altered kernels made of a recorded ${series} are refused by name`, async (t) => {
    using sound = new AlteredRecording(series);
    const want = new Map(
      ALL.map((output) => [output, OUTPUTS[output](sound.kernel())]),
    );
    for (const [what, alter, says, refused] of CASES) {
      await t.step(what, () => {
        using recording = new AlteredRecording(series);
        alter(recording);
        const kernel = recording.kernel();
        const found: Output[] = [];
        for (const output of ALL) {
          const got = outputOf(kernel, output);
          if ("refused" in got) {
            assert.match(got.refused, says, output);
            found.push(output);
          } else assert.ok(got.text === want.get(output), `${output} is wrong`);
        }
        assert.deepEqual(found, refused);
      });
    }
  });

  Deno.test(`members of a recorded ${series} that are moved give no other text`, () => {
    using sound = new AlteredRecording(series);
    const asked = new AskedNames();
    const want = report(asking(sound.plain, asked));
    const counts = { same: 0, refused: 0 };
    for (const [name, member] of asked.members) {
      const [struct, path] = name.split(/\.(.*)/s);
      if (member === undefined || path.includes(".")) continue;
      using recording = new AlteredRecording(series, sound);
      if (!recording.hasMember(struct, path)) continue;
      recording.moveMember(struct, path, 8);
      const got = outputOf(recording.retyped(), "report");
      if ("text" in got) assert.equal(got.text, want, name);
      counts["text" in got ? "same" : "refused"]++;
    }
    console.log(`  ${series}:`, counts);
    assert.ok(counts.refused > 50, `${counts.refused} refused`);
  });
}
