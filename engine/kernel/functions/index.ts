/**
 * The functions of a kernel by name, as those who trace look for them.
 *
 * @module
 */
import type { SyscallNames } from "../../arch/syscall_names.ts";
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { ftraceSite } from "../patching/ftrace_site.ts";

/** What a function is to the guest's function tracers. */
export type FunctionState =
  /** Its call of Ftrace is patched in: a tracer is told of its calls. */
  | "traced"
  /** It could be traced, but no tracer is told of its calls now. */
  | "idle"
  /** It has no call of Ftrace. */
  | "untraceable"
  /** Its text cannot be read (a recording without it). */
  | "unknown";

/** The functions of a kernel, by name. */
export interface FunctionIndex {
  /** The kernel's release, for messages. */
  readonly kernel: string;
  /** How it names the functions of system calls. */
  readonly syscalls: SyscallNames;
  /** Bytes behind its symbol at which a recorded function may lie. */
  readonly offsets: readonly number[];
  /** GVAs of the function: several where the name repeats; none unknown. */
  addresses(name: string): readonly bigint[];
  /** Names of the functions that a glob matches, and that can be traced. */
  glob(pattern: string): readonly string[];
  /** Names near to a mistyped one, best first. */
  near(name: string): readonly string[];
  /** What the function is to the tracers. */
  state(address: bigint): FunctionState;
}

/** Symbols that are no functions of their own though they look so. */
const NO_FUNCTION =
  /^(__pfx_|__cfi_|__ksymtab|__kstrtab|__bpf_trace_|__SCT__|__SCK__|__tracepoint_|__traceiter_|__probestub_|event_|__event_|trace_event_|print_fmt_|__p_|__key\.|__func__|__syscall_meta_|types__|args__|_eil_addr_|__already_done)/;

/** The functions of a kernel, modules' included. */
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
