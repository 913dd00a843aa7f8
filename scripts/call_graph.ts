/** Trace script: what a function calls. */
import { asDuration, duration, fn, trace } from "xftrace";
import { script } from "./script.ts";

export const callGraph = script({
  name: "call_graph",
  description: "Draws what a function calls, and how long each call takes.",
  flags: {
    function: ["name", "function, system call or glob", "sys_openat"],
    over: ["duration", "only calls that take at least this long", "0ns"],
    calls: ["number", "how many calls to draw", "5"],
    for: ["duration", "how long to trace at most", "10s"],
  },
  examples: ["-t qemu:web1", "--function vfs_read --over 1ms --calls 1"],
}, (flags) => [
  trace(fn(flags.function))
    .filter(duration.ge(asDuration(flags.over)))
    .until(Number(flags.calls))
    .until(asDuration(flags.for))
    .graph(),
]);

export default callGraph;
if (import.meta.main) Deno.exit(await callGraph.main());
