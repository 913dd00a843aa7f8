/**
 * An index of a kernel's functions by name, for resolving what is to be traced.
 *
 * @module
 */
import type { SyscallNames } from "../../arch/syscall_names.ts";
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { ftraceSite } from "../patching/ftrace_site.ts";

/** Whether the guest's function tracers see a function. */
export type FunctionState =
  /** Its call of Ftrace is patched in, so tracers see its calls. */
  | "traced"
  /** It can be traced, but no tracer sees its calls now. */
  | "idle"
  /** It does not call Ftrace. */
  | "untraceable"
  /** Its text cannot be read, for example because a recording lacks it. */
  | "unknown";

/** The functions of a kernel, by name. */
export interface FunctionIndex {
  /** The kernel's release, for messages. */
  readonly kernel: string;
  /** How the kernel names the functions of system calls. */
  readonly syscalls: SyscallNames;
  /**
   * Possible distances, in bytes, from a function's symbol to its recorded
   * address.
   */
  readonly offsets: readonly number[];
  /**
   * GVAs of the functions with that name: several when the name repeats, none
   * when it is unknown.
   */
  addresses(name: string): readonly bigint[];
  /** Names of the traceable functions that match a glob. */
  glob(pattern: string): readonly string[];
  /** Names similar to a mistyped one, the best first. */
  near(name: string): readonly string[];
  /** Whether the tracers see the function. */
  state(address: bigint): FunctionState;
}

/** Symbols that look like functions but are not functions of their own. */
const NO_FUNCTION =
  /^(__pfx_|__cfi_|__ksymtab|__kstrtab|__bpf_trace_|__SCT__|__SCK__|__tracepoint_|__traceiter_|__probestub_|event_|__event_|trace_event_|print_fmt_|__p_|__key\.|__func__|__syscall_meta_|types__|args__|_eil_addr_|__already_done)/;

/** Builds the index of a kernel's functions, including those of modules. */
export function functionIndex(kernel: Kernel): FunctionIndex {
  const { arch, facts, symbols } = kernel;
  const state = (address: bigint): FunctionState => {
    try {
      const site = ftraceSite(kernel, address);
      if (site === undefined) return "untraceable";
      return site.calls ? "traced" : "idle";
    } catch (error) {
      if (error instanceof MemoryError) return "unknown";
      throw error;
    }
  };
  return {
    kernel: facts.release,
    syscalls: arch.syscalls.names,
    offsets: arch.ftraceSites.offsets,
    addresses: (name) => symbols.addresses(name),
    glob: (pattern) =>
      symbols.glob(pattern).filter((name) => {
        if (NO_FUNCTION.test(name) || name.includes(".cold")) return false;
        const at = symbols.tryAddress(name);
        return at !== undefined && state(at) !== "untraceable";
      }),
    near: (name) => symbols.near(name),
    state,
  };
}
