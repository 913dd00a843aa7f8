/** Trace script: who calls a function. */
import { asDuration, caller, comm, fn, trace } from "xftrace";
import { script } from "./script.ts";

export const whoCalls = script({
  name: "who_calls",
  description:
    "Counts the callers of a function, within what the guest's tracer follows.",
  flags: {
    function: ["name", "function or glob", "kmem_cache_alloc"],
    under: ["name", "only within calls of this function"],
    for: ["duration", "how long to trace", "10s"],
  },
  examples: [
    "-t qemu:web1 --function kmem_cache_alloc",
    "--function _raw_spin_lock --under sys_openat",
  ],
}, (flags) => {
  const calls = trace(fn(flags.function)).until(asDuration(flags.for));
  const within = flags.under === undefined
    ? calls
    : calls.under(fn(flags.under));
  return [within.count(caller, comm)];
});

export default whoCalls;
if (import.meta.main) Deno.exit(await whoCalls.main());
