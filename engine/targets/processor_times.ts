/**
 * How far the host lets a guest get.
 *
 * @module
 */
import { Proc } from "./proc.ts";

/**
 * How long the processors of a VM have run on the host's, and have waited for one
 * of them although they could run, in ms since any time. Both are the host's own
 * counts; 0 when the VM has ended.
 *
 * @param pid the VM's process
 *
 * @example
 * ```ts
 * import { processorTimes } from "xftrace/targets";
 *
 * const { cpuMs, waitMs } = processorTimes(Deno.pid);
 * console.log(cpuMs() > 0, waitMs() >= 0); // true true
 * ```
 */
export function processorTimes(
  pid: number,
  proc: Proc = new Proc(),
): { cpuMs(): number; waitMs(): number } {
  return { cpuMs: () => proc.cpuMs(pid), waitMs: () => proc.waitMs(pid) };
}
