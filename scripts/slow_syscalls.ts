/** Trace script: system calls that took long. */
import { asDuration, duration, syscalls } from "xftrace";
import { script } from "./script.ts";

export const slowSyscalls = script({
  name: "slow_syscalls",
  description: "Prints the system calls that took long.",
  flags: {
    over: ["duration", "the shortest duration to show", "1ms"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: ["-t qemu:web1 --over 5ms", "--over 100us --for 1m"],
}, (flags) => [
  syscalls()
    .filter(duration.ge(asDuration(flags.over)))
    .until(asDuration(flags.for))
    .print(),
]);

export default slowSyscalls;
if (import.meta.main) Deno.exit(await slowSyscalls.main());
