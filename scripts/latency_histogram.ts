/** Trace script: how long calls of a function take. */
import { asDuration, comm, duration, fn, trace } from "xftrace";
import { script } from "./script.ts";

export const latencyHistogram = script({
  name: "latency_histogram",
  description: "Draws how long calls of a function take, by command.",
  flags: {
    function: ["name", "function, system call or glob", "sys_read"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: ["-t qemu:web1", '--function "ext4_*" --for 1m'],
}, (flags) => {
  const calls = trace(fn(flags.function)).until(asDuration(flags.for));
  return [calls.hist(duration, comm), calls.stats(duration, comm)];
});

export default latencyHistogram;
if (import.meta.main) Deno.exit(await latencyHistogram.main());
