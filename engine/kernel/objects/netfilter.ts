/**
 * Netfilter's hooks. Source: include/linux/netfilter.h, net/netfilter/core.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import { readable } from "../core/present.ts";
import { variable } from "../symbols/required.ts";
import { listedLeaders } from "./tasks.ts";

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

/**
 * GVAs of all network namespaces (`struct net`): those on their list, the first
 * one, and those that a process is in.
 */
export function netNamespaces(kernel: Kernel): bigint[] {
  const head = variable(kernel.symbols, "net_namespace_list", [
    "init_net",
    "register_pernet_subsys",
    "register_netdevice",
  ]);
  if (head === undefined) return [];
  const link = BigInt(kernel.types.offset("net", "list"));
  const listed = steady(() => listNodes(kernel, head))
    .map((node) => node - link);
  if (listed.length === 0) return [];
  const first = kernel.symbols.tryAddress("init_net");
  return [
    ...new Set([
      ...listed,
      ...(first === undefined ? [] : [first]),
      ...inhabited(kernel),
    ]),
  ];
}

/** The network namespaces of all processes on the task list. */
function inhabited(kernel: Kernel): Set<bigint> {
  const found = new Set<bigint>();
  const proxy = kernel.types.tryOffset("task_struct", "nsproxy");
  const net = kernel.types.tryOffset("nsproxy", "net_ns");
  const init = kernel.symbols.tryAddress("init_task");
  if (proxy === undefined || net === undefined || init === undefined) {
    return found;
  }
  const { space } = kernel;
  const proxies = new Set<bigint>();
  for (const task of listedLeaders(kernel)) {
    // One that ends has none any more.
    const gva = readable(() => space.u64(task + BigInt(proxy))) ?? 0n;
    if (gva === 0n || proxies.has(gva)) continue;
    proxies.add(gva);
    const one = readable(() => space.u64(gva + BigInt(net))) ?? 0n;
    // A freed one holds anything: a namespace names itself as one.
    if (one !== 0n && isNamespace(kernel, one)) found.add(one);
  }
  return found;
}

/** Whether a `struct net` lies there. */
function isNamespace(kernel: Kernel, gva: bigint): boolean {
  const kind = kernel.types.tryOffset("net", "ns.ops");
  const ops = kernel.symbols.tryAddress("netns_operations");
  return kind === undefined || ops === undefined ||
    readable(() => kernel.space.u64(gva + BigInt(kind))) === ops;
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
    if (member === undefined) {
      // Every kernel with netfilter has these.
      if (family !== "ipv4" && family !== "ipv6") continue;
      if (types.tryStruct("netns_nf") === undefined) continue;
      throw new KernelError(
        `this kernel's struct netns_nf has no hooks_${family}`,
      );
    }
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
