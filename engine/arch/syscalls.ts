/**
 * An architecture's system calls.
 *
 * @module
 */
import type { SyscallNames } from "./syscall_names.ts";

/** A table of system calls in a kernel. */
export interface SyscallTableName {
  readonly symbol: string;
  /** The prefixes of the names of its functions. */
  readonly prefixes: readonly string[];
}

/** The system calls of an architecture. */
export interface Syscalls {
  readonly names: SyscallNames;
  /**
   * Function tables indexed by call number; the kernel's native calls come
   * first.
   */
  readonly tables: readonly [SyscallTableName, ...SyscallTableName[]];
  /** Functions that stand in for calls that a kernel does not implement. */
  readonly notImplemented: readonly string[];
  /** Functions that dispatch system calls, in any kernel version. */
  readonly dispatchers: readonly string[];
  /** Call numbers by name, for the calls in syscall_parameters.ts. */
  readonly numbers: Readonly<Record<string, number>>;
  /**
   * Parameters of calls whose order differs on this architecture; same format
   * as in syscall_parameters.ts.
   */
  readonly parameters?: Readonly<Record<string, string>>;
  /**
   * How many arguments are passed to a function in registers
   * (FTRACE_REGS_MAX_ARGS).
   */
  readonly registerArguments: number;
}
