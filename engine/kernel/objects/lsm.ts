/**
 * Security hooks. Sources: include/linux/lsm_hooks.h, security/security.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { hlistNodes, steady } from "../core/lists.ts";
import { inImage } from "../symbols/required.ts";

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

/** A hook that a security module brought along. */
export interface ModuleHook {
  /** Symbol of the module's own table of hooks: `apparmor_hooks`. */
  readonly table: string;
  /** Number of the entry in that table. */
  readonly index: number;
  /** GVA of the pointer to its function, as in {@linkcode SecurityHook}. */
  readonly address: bigint;
  readonly func: bigint;
}

/** More entries than the table of a security module has. */
const MOST_HOOKS = 1024;

/**
 * The hooks in the security modules' own tables, of those that were registered
 * when the kernel booted (security_add_hooks): the kernel registers all entries
 * of a table, or none, and never takes one off its list.
 *
 * @param used GVAs of the pointers of hooks that are on a list
 * @throws {KernelError} when a module that is active has no such table.
 */
export function registeredHooks(
  kernel: Kernel,
  used: ReadonlySet<bigint>,
): ModuleHook[] {
  const { symbols, space, types } = kernel;
  const size = types.tryStruct("security_hook_list")?.size;
  if (size === undefined) return [];
  const at = (member: string) =>
    types.tryOffset("security_hook_list", member) ?? -1;
  const [hook, head] = [at("hook"), Math.max(at("head"), at("scalls"))];
  // Its name is written when it is registered.
  const name = Math.max(at("lsm"), at("lsmid"));
  const lists = [
    ["security_hook_heads", "security_hook_heads"],
    ["static_calls_table", "lsm_static_calls_table"],
  ].flatMap(([symbol, struct]) => {
    const start = symbols.tryAddress(symbol);
    const length = types.tryStruct(struct)?.size;
    return start === undefined || length === undefined
      ? []
      : [{ start, end: start + BigInt(length) }];
  });
  if (hook < 0 || head < 0) return [];
  const active = activeNames(kernel);
  // Symbols of init code (security_add_hooks) lead to memory that was freed, and
  // with PTI is not even mapped (free_kernel_image_pages).
  const init = {
    start: symbols.tryAddress("__init_begin") ?? 0n,
    end: symbols.tryAddress("__init_end") ?? 0n,
  };
  const found: ModuleHook[] = [];
  const without = new Set(active);
  for (const table of symbols.glob("*_hooks")) {
    for (const gva of inImage(symbols, symbols.addresses(table))) {
      if (gva >= init.start && gva < init.end) continue;
      const room = symbols.lookup(gva)?.size ?? 0;
      const count = Math.min(Math.floor(room / size), MOST_HOOKS);
      if (count === 0) continue;
      const bytes = space.bytes(gva, count * size);
      const view = new DataView(bytes.buffer);
      const own: ModuleHook[] = [];
      let isTable = false;
      let registered = active.some((name) => table.startsWith(name));
      for (let index = 0; index < count; index++) {
        const word = (offset: number) =>
          offset < 0 ? 0n : view.getBigUint64(index * size + offset, true);
        const leads = lists.some(({ start, end }) =>
          word(head) >= start && word(head) < end
        );
        const address = gva + BigInt(index * size + hook);
        isTable ||= leads;
        registered ||= (leads && word(name) !== 0n) || used.has(address);
        // Padding follows the last one.
        if (word(hook) === 0n && !leads) continue;
        own.push({ table, index, address, func: word(hook) });
      }
      if (!isTable) continue;
      for (const name of active) {
        if (table.startsWith(name)) without.delete(name);
      }
      if (registered) found.push(...own);
    }
  }
  if (without.size > 0) {
    throw new KernelError(
      `the kernel's symbols have no table of hooks of ${[...without].join()}`,
    );
  }
  return found;
}

/** The security modules that the kernel says are active. */
function activeNames({ symbols, space }: Kernel): string[] {
  const at = symbols.tryAddress("lsm_names");
  const text = at === undefined ? 0n : space.u64(at);
  if (text === 0n) return [];
  return space.string(text, 512).split(",").filter((name) => name !== "");
}
