/**
 * Notifier chains, and the line disciplines of terminals.
 *
 * Sources: include/linux/notifier.h, drivers/tty/tty_ldisc.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { steady } from "../core/lists.ts";

/** One function on a chain. */
export interface Notified {
  /** GVA of its `struct notifier_block`. */
  readonly gva: bigint;
  readonly func: bigint;
}

/** Chains, each with the struct of its head. */
export const CHAINS: readonly (readonly [string, string])[] = [
  ["keyboard_notifier_list", "atomic_notifier_head"],
  ["module_notify_list", "blocking_notifier_head"],
  ["die_chain", "atomic_notifier_head"],
  ["panic_notifier_list", "atomic_notifier_head"],
  ["reboot_notifier_list", "blocking_notifier_head"],
  ["restart_handler_list", "atomic_notifier_head"],
  ["vt_notifier_list", "atomic_notifier_head"],
  ["usb_notifier_list", "blocking_notifier_head"],
  ["inetaddr_chain", "blocking_notifier_head"],
  ["inet6addr_chain", "atomic_notifier_head"],
  ["netdev_chain", "raw_notifier_head"],
  ["task_exit_notifier", "blocking_notifier_head"],
  ["munmap_notifier", "blocking_notifier_head"],
  ["pm_chain_head", "blocking_notifier_head"],
  ["oom_notify_list", "blocking_notifier_head"],
  ["tracepoint_notify_list", "blocking_notifier_head"],
];

const MAX_BLOCKS = 4096;

/** The functions on a chain; `undefined` when the kernel has no such chain. */
export function chain(
  kernel: Kernel,
  symbol: string,
  head: string,
): Notified[] | undefined {
  const at = kernel.symbols.tryAddress(symbol);
  const first = kernel.types.tryOffset(head, "head");
  if (at === undefined || first === undefined) return undefined;
  return steady(() => {
    const found: Notified[] = [];
    let block = kernel.space.u64(at + BigInt(first));
    while (block !== 0n) {
      if (found.length > MAX_BLOCKS) {
        throw new KernelError(`${symbol} does not end`);
      }
      const object = kernel.object("notifier_block", block);
      found.push({ gva: block, func: object.u64("notifier_call") });
      block = object.u64("next");
    }
    return found;
  });
}

/** GVAs of the registered `struct tty_ldisc_ops`, by number. */
export function lineDisciplines(kernel: Kernel): Map<number, bigint> {
  const found = new Map<number, bigint>();
  const table = kernel.symbols.tryAddress("tty_ldiscs");
  if (table === undefined) return found;
  const size = kernel.symbols.lookup(table)?.size ?? 0;
  for (let i = 0; i < Math.min(size / 8, 64); i++) {
    const ops = kernel.space.u64(table + BigInt(8 * i));
    if (ops !== 0n) found.set(i, ops);
  }
  return found;
}
