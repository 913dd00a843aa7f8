/**
 * Trace script: system calls that are called from outside the kernel's own
 * code.
 */
import { asDuration, caller, fn, trace } from "xftrace";
import { script } from "./script.ts";

export const foreignCalls = script({
  name: "foreign_calls",
  description:
    "Prints system calls whose caller is a module or lies in no known code:\nnormally only the kernel itself calls them; a hook does as well.",
  flags: {
    functions: ["glob", "functions whose callers to look at", "sys_*"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: ["-t qemu:web1", "--functions 'sys_open*' --for 1h"],
}, (flags) => {
  const calls = trace(fn(flags.functions))
    // Functions of modules are named with their module: "f [module]".
    .filter(caller.isForeign().or(caller.endsWith("]")))
    .until(asDuration(flags.for));
  return [calls.print(), calls.count("func", caller)];
});

export default foreignCalls;
if (import.meta.main) Deno.exit(await foreignCalls.main());
