/** Trace script: programs that are started. */
import { asDuration, event, process } from "xftrace";
import { script } from "./script.ts";

export const execs = script({
  name: "execs",
  description: "Prints the programs that are started.",
  flags: {
    for: ["duration", "how long to trace", "10s"],
    process: [
      "glob",
      "only programs that these processes and their children start",
    ],
  },
  examples: ["-t qemu:web1", '--process "cron*" --for 1h'],
}, (flags) => {
  const started = event("sched:sched_process_exec")
    .until(asDuration(flags.for));
  return [
    flags.process === undefined
      ? started.print()
      : started.filter(process(flags.process).withChildren()).print(),
  ];
});

export default execs;
if (import.meta.main) Deno.exit(await execs.main());
