/** Trace script: how long threads wait in the kernel. */
import { asDuration, comm, duration, process, trace } from "xftrace";
import { script } from "./script.ts";

export const blockTime = script({
  name: "block_time",
  description:
    "Shows how long threads wait in the kernel: their calls of schedule().",
  flags: {
    process: ["glob", "only processes with this command, and their children"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: ["-t qemu:web1", '--process "postgres*" --for 1m'],
}, (flags) => {
  const all = trace("schedule", "io_schedule").until(asDuration(flags.for));
  const waits = flags.process === undefined
    ? all
    : all.filter(process(flags.process).withChildren());
  return [waits.stats(duration, comm), waits.hist(duration)];
});

export default blockTime;
if (import.meta.main) Deno.exit(await blockTime.main());
