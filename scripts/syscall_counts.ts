/** Trace script: system calls by command and name. */
import { asDuration, comm, func, syscalls } from "xftrace";
import { script } from "./script.ts";

export const syscallCounts = script({
  name: "syscall_counts",
  description: "Counts system calls by command and name.",
  flags: {
    for: ["duration", "how long to trace", "10s"],
    comm: ["glob", "only commands that match", "*"],
  },
  examples: ["-t qemu:web1", '--comm "nginx*" --for 1m'],
}, (flags) => [
  syscalls()
    .filter(comm.glob(flags.comm))
    .until(asDuration(flags.for))
    .count(comm, func),
]);

export default syscallCounts;
if (import.meta.main) Deno.exit(await syscallCounts.main());
