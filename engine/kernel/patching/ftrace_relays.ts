/**
 * Functions of the kernel's own that listen to Ftrace only to pass on to what
 * others gave them: livepatch, fprobe, and the commands of set_ftrace_filter.
 * Whoever registers them is not in the `ftrace_ops`.
 *
 * Sources: kernel/livepatch/patch.c (klp_ftrace_handler), kernel/trace/fprobe.c
 * (fprobe_handler), kernel/trace/ftrace.c (function_trace_probe_call).
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import type { FtraceOps } from "./ftrace_ops.ts";

/** A function to which a listener of the kernel's passes on. */
export interface Relayed {
  /** Whose it is: `livepatch`. */
  readonly what: string;
  /** GVA of the pointer to it. */
  readonly address: bigint;
  /** GVA of the function. */
  readonly func: bigint;
}

/**
 * What an `ftrace_ops` leads to beyond its own functions; empty for most.
 *
 * @throws {KernelError | MemoryError} when that cannot be read.
 */
export function relayed(kernel: Kernel, ops: FtraceOps): Relayed[] {
  const { symbols, types, space } = kernel;
  const passes = (name: string) =>
    symbols.addresses(name).some((gva) =>
      gva === ops.func || gva === ops.savedFunc
    );
  const container = (struct: string, member: string) =>
    kernel.object(struct, ops.gva - BigInt(types.offset(struct, member)));
  const found: Relayed[] = [];
  const add = (what: string, address: bigint) => {
    const func = space.u64(address);
    if (func !== 0n) found.push({ what, address, func });
  };
  if (passes("klp_ftrace_handler")) {
    const head = container("klp_ops", "fops").at("func_stack");
    const node = BigInt(types.offset("klp_func", "stack_node"));
    const func = BigInt(types.offset("klp_func", "new_func"));
    for (const at of steady(() => listNodes(kernel, head))) {
      add("livepatch", at - node + func);
    }
  }
  if (passes("fprobe_handler") || passes("fprobe_kprobe_handler")) {
    const probe = container("fprobe", "ops");
    for (const member of ["entry_handler", "exit_handler"]) {
      add("fprobe", probe.at(member));
    }
  }
  if (passes("function_trace_probe_call")) {
    const own = container("ftrace_func_probe", "ops").u64("probe_ops");
    for (const member of types.struct("ftrace_probe_ops").members.values()) {
      add("command of set_ftrace_filter", own + BigInt(member.offset));
    }
  }
  return found;
}
