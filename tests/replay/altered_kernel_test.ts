/**
 * Kernels that are altered on purpose: each name that a report, or `info`, looks
 * for is taken away once. Then the output is refused, or the same: never another
 * text.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { XftraceError } from "../../engine/base/errors.ts";
import { openInstance } from "../../engine/ftrace/ring/open_instance.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { selfTest } from "../../engine/output/text/guest/known_kernel.ts";
import { collectInfo } from "../../engine/run/guest_info.ts";
import { openCoreSession } from "../../engine/session.ts";
import { hiding, Names } from "../blind/hiding.ts";
import { report } from "./report_fixture.ts";

function open(series: string) {
  const path = fileURLToPath(
    import.meta.resolve(`../../testdata/guest-${series}.core.zst`),
  );
  return openCoreSession(`core:${path}`, path);
}

/** What `info` says of a kernel. */
function info(kernel: Kernel): string {
  return JSON.stringify(
    collectInfo({ target: "", kernel, ramBytes: 0 }, openInstance({ kernel })),
  );
}

/** What an output of the kernel without that name is. */
function without(
  kernel: Kernel,
  names: Names,
  name: string,
  output: (kernel: Kernel) => string,
  want: string,
): "same" | "refused" | "wrong" {
  names.hidden = name;
  try {
    return output(hiding(kernel, names)) === want ? "same" : "wrong";
  } catch (error) {
    if (!(error instanceof XftraceError)) throw error;
    return "refused";
  }
}

/** Outputs, and names without which they say that something is not known. */
const OUTPUTS: readonly (readonly [
  what: string,
  output: (kernel: Kernel) => string,
  said: readonly string[],
])[] = [
  ["report", report, []],
  // The clock's number in the place of its name.
  ["info", info, ["symbol trace_clocks"]],
];

for (const series of ["6.1", "6.12"]) {
  for (const [what, output, said] of OUTPUTS) {
    Deno.test(`${what} of a ${series} kernel without any one name is refused, or right`, () => {
      using session = open(series);
      const { kernel } = session;
      const names = new Names();
      const want = output(hiding(kernel, names));
      assert.equal(want, output(kernel));
      const found = { same: 0, refused: 0, wrong: 0 };
      const wrong: string[] = [];
      for (const name of [...names.asked]) {
        const result = without(kernel, names, name, output, want);
        found[result]++;
        if (result === "wrong") wrong.push(name);
      }
      console.log(`  ${series} ${what}: ${names.asked.size} names`, found);
      assert.deepEqual(wrong, said);
      // So that the test tests something.
      assert.ok(found.refused > 100, `${found.refused} refused`);
    });
  }
}

/** Names, and what a report says that lacks them. */
const SAYS: readonly (readonly [name: string, says: RegExp, part: string])[] = [
  ["member trace_array.trace_flags", /trace_array has no trace_flags/, ""],
  ["member tracer.flags", /current_trace_flags, and struct tracer/, ""],
  ["symbol savedcmd", /the names of tasks .* no symbol savedcmd/, "tasks"],
  ["symbol trace_clocks", /trace clocks are not where/, "clock"],
  ["symbol ftrace_graph_hash", /no symbol ftrace_graph_hash/, "roots"],
  ["enum trace_flag_type", /no enum trace_flag_type/, "flags"],
  ["member trace_event_call.tp", /trace_event_call.tp/, "events"],
  ["symbol event_class_syscall_exit", /event_class_syscall_exit/, "events"],
  [
    "enumerator TRACE_ITER_CONTEXT_INFO_BIT",
    /context-info has bit \d+ in trace_options and no bit/,
    "options",
  ],
  ["symbol trace_types", /no symbol trace_types/, "tracers"],
];

Deno.test("the self-test names what an altered kernel lacks", () => {
  using session = open("6.12");
  const { kernel } = session;
  const unknown = (of: Kernel) =>
    selfTest(openInstance({ kernel: of })).filter(({ known }) => !known);
  assert.deepEqual(unknown(kernel), []);
  for (const [name, says, part] of SAYS) {
    const names = new Names();
    names.hidden = name;
    const found = unknown(hiding(kernel, names));
    assert.ok(names.asked.has(name), `${name} is not asked for`);
    const [first] = found.filter((test) => part === "" || test.part === part);
    assert.match(first?.found ?? "", says, name);
  }
});
