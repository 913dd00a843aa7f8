/** Trace script: system calls of a process and its children. */
import { asDuration, comm, func, process, syscalls } from "xftrace";
import { script } from "./script.ts";

export const processTree = script({
  name: "process_tree",
  description:
    "Prints the system calls of a process and of all that it starts.",
  flags: {
    process: ["glob", "command of the process", "sh"],
    pid: ["number", "pid of the process, instead of its command"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: ["-t qemu:web1 --process sshd", "--pid 812 --for 1m"],
}, (flags) => {
  const root = process(
    flags.pid === undefined ? flags.process : Number(flags.pid),
  );
  const calls = syscalls()
    .filter(root.withChildren())
    .until(asDuration(flags.for));
  return [calls.print(), calls.count(comm, func)];
});

export default processTree;
if (import.meta.main) Deno.exit(await processTree.main());
