/**
 * Parts of hooks: what several of them look for, or do.
 *
 * @module
 */
import { dispatch } from "../../engine/arch/x86_64/kernel/syscall_dispatch.ts";
import { moduleTextIntegrity } from "../../engine/detect/checks/xf024_module_text.ts";
import { textIntegrity } from "../../engine/detect/checks/xf020_text.ts";
import type { Check } from "../../engine/detect/core/check.ts";
import {
  CheckContext,
  type CheckOptions,
} from "../../engine/detect/core/context.ts";
import { readOnce } from "../../engine/detect/core/runner.ts";
import type {
  RecordedText,
  TextRecords,
} from "../../engine/detect/text/text_record.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { listedLeaders, readTask } from "../../engine/kernel/objects/tasks.ts";
import { NotHere, type Workshop } from "./workshop.ts";

/** When the guest was checked before. */
const SINCE = "2026-01-01T00:00:00.000Z";

/**
 * What the user says who has checked the guest before: the texts were recorded
 * then.
 */
export function recorded(
  kernel: Kernel,
  checks: readonly Check[] = [textIntegrity, moduleTextIntegrity],
): CheckOptions {
  const texts = new Map<string, RecordedText>();
  let first = true;
  const boots = new Set<string>();
  const textRecords: TextRecords = {
    boots: () => [...boots],
    load: (boot, name) => texts.get(`${boot}-${name}`),
    save: (boot, name, text) => {
      if (!first) return;
      boots.add(boot);
      texts.set(`${boot}-${name}`, { ...text, since: SINCE });
    },
  };
  for (const check of checks) {
    readOnce(kernel, check, new CheckContext(kernel, { textRecords }));
  }
  first = false;
  return { textRecords };
}

/**
 * GVA of the `task_struct` of the process that was started last. One that has
 * ended, and waits for its parent, is no process to hide.
 */
export function lastProcess(kernel: Kernel): bigint {
  const gva = listedLeaders(kernel).findLast((gva) => {
    const task = readTask(kernel, gva);
    return !task.kernelThread && !task.dead && task.pid > 1;
  });
  if (gva === undefined) throw new Error("there is no process");
  return gva;
}

/** Takes a task out of the table of pids. */
export function withoutPid(shop: Workshop, gva: bigint): void {
  const links = shop.at("task_struct", gva, "pid_links");
  const { space } = shop.kernel;
  const [next, before] = [space.u64(links), space.u64(links + 8n)];
  shop.u64(before, next);
  if (next !== 0n) shop.u64(next + 8n, before);
}

/** GVA of the distance of x64_sys_call's jump for a system call's number. */
export function exitOf({ kernel }: Workshop, number: number): bigint {
  const exit = dispatch(kernel, "x64_sys_call")?.exits
    .find(({ numbers }) => numbers.length === 1 && numbers[0] === number);
  if (exit?.bytes[0] !== 0xe9) throw new NotHere(`no jump for ${number}`);
  return exit.from + 1n;
}

/** GVA of a near call in a function. */
export function callIn({ kernel }: Workshop, symbol: string): bigint {
  const { space, symbols } = kernel;
  const from = symbols.address(symbol);
  const size = symbols.lookup(from)?.size ?? 0;
  for (let at = from + 16n; at < from + BigInt(size); at++) {
    if (space.u8(at) !== 0xe8) continue;
    const to = at + 5n + BigInt(space.s32(at + 1n));
    const { name, offset } = symbols.lookup(to) ?? { name: "_", offset: 1 };
    if (offset === 0 && !name.startsWith("_")) return at;
  }
  throw new Error(`${symbol} calls nothing`);
}

/** GVA of a function's Ftrace call site. */
export function siteOf({ kernel }: Workshop, symbol: string): bigint {
  const at = kernel.symbols.address(symbol);
  return kernel.space.u32(at) === 0xfa1e0ff3 ? at + 4n : at;
}

/** Overwrites 32 bytes in the middle of `vfs_write`. */
export function overwrite(shop: Workshop, byte: number): void {
  const at = shop.kernel.symbols.address("vfs_write") + 32n;
  shop.bytes(at, new Uint8Array(32).fill(byte), true);
}

/** Takes a node off its `list_head` list. */
export function unlink(shop: Workshop, node: bigint): void {
  const { space } = shop.kernel;
  const [next, before] = [space.u64(node), space.u64(node + 8n)];
  shop.u64(before, next);
  shop.u64(next + 8n, before);
  shop.u64(node, node);
  shop.u64(node + 8n, node);
}
