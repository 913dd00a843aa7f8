/**
 * Security hooks. Sources: include/linux/lsm_hooks.h, security/security.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { hlistNodes, steady } from "../core/lists.ts";

/** One security hook. */
export interface SecurityHook {
  /** The hook's name: `file_open`. */
  readonly name: string;
  /** GVA of the pointer to its function. */
  readonly address: bigint;
  readonly func: bigint;
}

/**
 * All security hooks in use; `undefined` when the kernel stores them in an
 * unknown way.
 */
export function securityHooks(kernel: Kernel): SecurityHook[] | undefined {
  const { types, symbols, space } = kernel;
  const hook = types.tryOffset("security_hook_list", "hook");
  if (hook === undefined) return undefined;
  const found: SecurityHook[] = [];
  const add = (name: string, list: bigint) => {
    const address = list + BigInt(hook);
    const func = space.u64(address);
    if (func !== 0n) found.push({ name, address, func });
  };
  const heads = symbols.tryAddress("security_hook_heads");
  const lists = types.tryStruct("security_hook_heads");
  if (heads !== undefined && lists !== undefined) {
    const link = BigInt(types.offset("security_hook_list", "list"));
    for (const { name, offset } of lists.members.values()) {
      const head = heads + BigInt(offset);
      for (const node of steady(() => hlistNodes(kernel, head))) {
        add(name, node - link);
      }
    }
    return found;
  }
  // Since 6.12: static calls, several for each hook (security/security.c).
  const calls = symbols.tryAddress("static_calls_table");
  const table = types.tryStruct("lsm_static_calls_table");
  const slot = types.tryStruct("lsm_static_call");
  const hl = slot?.members.get("hl");
  const key = slot?.members.get("key");
  if (
    calls === undefined || table === undefined || slot === undefined ||
    hl === undefined
  ) return undefined;
  for (const { name, offset, size } of table.members.values()) {
    for (let at = 0; at + slot.size <= size; at += slot.size) {
      const empty = key !== undefined &&
        space.u64(calls + BigInt(offset + at + key.offset)) === 0n;
      if (empty) {
        throw new KernelError(
          `static_calls_table has no call for ${name}: it is damaged`,
        );
      }
      const list = space.u64(calls + BigInt(offset + at + hl.offset));
      if (list !== 0n) add(name, list);
    }
  }
  return found;
}
