/** Calls of code that is not the kernel's. */
import { asDuration, caller, func, trace } from "xftrace";
import { script } from "./script.ts";

export const foreignCalls = script({
  name: "foreign_calls",
  description:
    "Prints calls of, and by, code that lies in no known kernel or module text.",
  flags: { for: ["duration", "how long to trace", "10s"] },
  examples: ["-t qemu:web1", "--for 1h"],
}, (flags) => {
  const calls = trace()
    .filter(func.isForeign().or(caller.isForeign()))
    .until(asDuration(flags.for));
  return [calls.print(), calls.count(func, caller)];
});

export default foreignCalls;
if (import.meta.main) Deno.exit(await foreignCalls.main());
