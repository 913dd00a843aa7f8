/** Trace script: time spent in interrupts. */
import { asDuration, cpu, duration, fn, func, trace } from "xftrace";
import { script } from "./script.ts";

/** Handlers of device interrupts, of timers, and of softirqs. */
const HANDLERS = [
  "handle_irq_event",
  "hrtimer_interrupt",
  "*do_softirq",
  "handle_softirq*",
];

export const irqTime = script({
  name: "irq_time",
  description: "Sums up the time spent in interrupts and softirqs, by CPU.",
  flags: { for: ["duration", "how long to trace", "10s"] },
  examples: ["-t qemu:web1", "--for 1m"],
}, (flags) => {
  const calls = trace(...HANDLERS.map(fn)).until(asDuration(flags.for));
  return [calls.stats(duration, func, cpu), calls.hist(duration)];
});

export default irqTime;
if (import.meta.main) Deno.exit(await irqTime.main());
