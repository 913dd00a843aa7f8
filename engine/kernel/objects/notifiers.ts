/**
 * Notifier chains, and the line disciplines of terminals.
 *
 * Sources: include/linux/notifier.h, drivers/tty/tty_ldisc.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { variable } from "../symbols/required.ts";
import type { Kernel } from "../core/kernel.ts";
import { steady } from "../core/lists.ts";

/** One function on a chain. */
export interface Notified {
  /** GVA of its `struct notifier_block`. */
  readonly gva: bigint;
  readonly func: bigint;
}

/**
 * Chains, each with the struct of its head, and the function that puts others
 * on it: a kernel with that function has the chain.
 */
export const CHAINS: readonly (readonly [string, string, string?])[] = [
  [
    "keyboard_notifier_list",
    "atomic_notifier_head",
    "register_keyboard_notifier",
  ],
  ["module_notify_list", "blocking_notifier_head", "register_module_notifier"],
  ["die_chain", "atomic_notifier_head", "register_die_notifier"],
  ["panic_notifier_list", "atomic_notifier_head", "panic"],
  [
    "reboot_notifier_list",
    "blocking_notifier_head",
    "register_reboot_notifier",
  ],
  ["restart_handler_list", "atomic_notifier_head", "register_restart_handler"],
  ["vt_notifier_list", "atomic_notifier_head", "register_vt_notifier"],
  ["usb_notifier_list", "blocking_notifier_head", "usb_register_notify"],
  ["inetaddr_chain", "blocking_notifier_head", "register_inetaddr_notifier"],
  ["inet6addr_chain", "atomic_notifier_head", "register_inet6addr_notifier"],
  ["netdev_chain", "raw_notifier_head", "register_netdevice_notifier"],
  ["task_exit_notifier", "blocking_notifier_head"],
  ["munmap_notifier", "blocking_notifier_head"],
  ["pm_chain_head", "blocking_notifier_head", "register_pm_notifier"],
  ["oom_notify_list", "blocking_notifier_head", "register_oom_notifier"],
  [
    "tracepoint_notify_list",
    "blocking_notifier_head",
    "register_tracepoint_module_notifier",
  ],
];

const MAX_BLOCKS = 4096;

/**
 * The functions on a chain; `undefined` when the kernel has no such chain.
 *
 * @param registers the function that only kernels with that chain have
 * @throws {KernelError} when the chain does not end, or its symbol is missing.
 */
export function chain(
  kernel: Kernel,
  symbol: string,
  head: string,
  registers?: string,
): Notified[] | undefined {
  const at = variable(
    kernel.symbols,
    symbol,
    registers === undefined ? [] : [registers],
  );
  if (at === undefined) return undefined;
  const first = kernel.types.offset(head, "head");
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
  const table = variable(kernel.symbols, "tty_ldiscs", ["tty_register_ldisc"]);
  if (table === undefined) return found;
  const size = kernel.symbols.lookup(table)?.size ?? 0;
  for (let i = 0; i < Math.min(size / 8, 64); i++) {
    const ops = kernel.space.u64(table + BigInt(8 * i));
    if (ops !== 0n) found.set(i, ops);
  }
  return found;
}
