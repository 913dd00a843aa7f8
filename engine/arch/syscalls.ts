/**
 * The system calls of an architecture.
 *
 * @module
 */
import type { SyscallNames } from "./syscall_names.ts";

/** A table of system calls in a kernel. */
export interface SyscallTableName {
  readonly symbol: string;
  /** What the names of its functions begin with. */
  readonly prefixes: readonly string[];
}

/** See the module's comment. */
export interface Syscalls {
  readonly names: SyscallNames;
  /** Tables of functions by number: that of the kernel's own calls first. */
  readonly tables: readonly [SyscallTableName, ...SyscallTableName[]];
  /** Functions that stand for calls which a kernel does not have. */
  readonly notImplemented: readonly string[];
  /** Functions that hand system calls on, of one kernel or another. */
  readonly dispatchers: readonly string[];
  /** Numbers of calls by name, of those in syscall_parameters.ts. */
  readonly numbers: Readonly<Record<string, number>>;
  /**
   * Parameters of calls whose order is the architecture's own, as in
   * syscall_parameters.ts.
   */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Arguments that a function takes in registers (FTRACE_REGS_MAX_ARGS). */
  readonly registerArguments: number;
}
