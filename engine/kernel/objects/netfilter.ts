/**
 * Netfilter's hooks. Source: include/linux/netfilter.h, net/netfilter/core.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";

/** MAX_HOOK_COUNT of net/netfilter/core.c. */
const MAX_HOOKS = 1024;

/** One hook. */
export interface NetfilterHook {
  /** Family and hook: `ipv4 LOCAL_OUT`. */
  readonly where: string;
  /** GVA of the `struct nf_hook_entry`. */
  readonly gva: bigint;
  /** GVA of the hook's function. */
  readonly func: bigint;
}

const INET = [
  "PRE_ROUTING",
  "LOCAL_IN",
  "FORWARD",
  "LOCAL_OUT",
  "POST_ROUTING",
];
const ARP = ["IN", "OUT", "FORWARD"];
/** Protocol families and the names of their hooks. */
const FAMILIES: readonly (readonly [string, readonly string[]])[] = [
  ["ipv4", INET],
  ["ipv6", INET],
  ["arp", ARP],
  ["bridge", INET],
];

/** GVAs of all network namespaces (`struct net`). */
export function netNamespaces(kernel: Kernel): bigint[] {
  const head = kernel.symbols.tryAddress("net_namespace_list");
  if (head === undefined) return [];
  const link = BigInt(kernel.types.offset("net", "list"));
  return steady(() => listNodes(kernel, head)).map((node) => node - link);
}

/**
 * The hooks of one network namespace, and of its devices (ingress, egress).
 *
 * @throws {KernelError} when there are more than the kernel allows.
 */
export function netfilterHooks(kernel: Kernel, net: bigint): NetfilterHook[] {
  const { types, space } = kernel;
  const found: NetfilterHook[] = [];
  const entries = (where: string, pointer: bigint) => {
    const gva = space.u64(pointer);
    if (gva === 0n) return;
    const size = BigInt(types.struct("nf_hook_entry").size);
    const first = gva + BigInt(types.offset("nf_hook_entries", "hooks"));
    const count = space.u16(
      gva + BigInt(types.offset("nf_hook_entries", "num_hook_entries")),
    );
    if (count > MAX_HOOKS) {
      throw new KernelError(
        `${where} claims ${count} hooks, more than the kernel allows`,
      );
    }
    for (let i = 0n; i < BigInt(count); i++) {
      const at = first + i * size;
      found.push({ where, gva: at, func: space.u64(at) });
    }
  };
  for (const [family, names] of FAMILIES) {
    const member = types.tryMember("net", `nf.hooks_${family}`);
    if (member === undefined) continue;
    for (let i = 0; i < member.size / 8; i++) {
      entries(
        `${family} ${names[i] ?? i}`,
        net + BigInt(member.offset + 8 * i),
      );
    }
  }
  const devices = types.tryOffset("net", "dev_base_head");
  const link = types.tryOffset("net_device", "dev_list");
  if (devices !== undefined && link !== undefined) {
    for (const node of steady(() => listNodes(kernel, net + BigInt(devices)))) {
      const device = kernel.object("net_device", node - BigInt(link));
      const name = device.chars("name");
      for (const way of ["ingress", "egress"]) {
        if (!device.has(`nf_hooks_${way}`)) continue;
        entries(`${name} ${way}`, device.at(`nf_hooks_${way}`));
      }
    }
  }
  return found;
}
