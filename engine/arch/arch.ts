/**
 * The interface for everything that differs between architectures. The rest of
 * the engine knows a processor only through it; `all.ts` lists the
 * architectures. docs/adding_an_architecture.md is the checklist.
 *
 * @module
 */
import type { FaultHandler } from "./fault_handler.ts";
import type { FtraceSites } from "./ftrace_sites.ts";
import type { ImageMap } from "./image_map.ts";
import type { Instructions } from "./instructions.ts";
import type { KernelFiles } from "./kernel_file.ts";
import type { KernelFinder } from "./kernel_place.ts";
import type { Machines } from "./machines.ts";
import type { Patching } from "./patching.ts";
import type { Registers } from "./registers.ts";
import type { Syscalls } from "./syscalls.ts";

/** One architecture of guests. */
export interface Arch {
  /** Name as printed by `uname -m`. */
  readonly name: string;
  /** `e_machine` of its ELF files. */
  readonly elfMachine: number;
  /** The machines its guests run on: boards, and QEMU's names. */
  readonly machines: Machines;
  /** Where a kernel, its modules and the direct map lie. */
  readonly image: ImageMap;
  /** Finds a kernel's page tables in physical memory. */
  readonly finder: KernelFinder;
  /** How kernel image files are packed. */
  readonly kernelFiles: KernelFiles;
  /** System calls: names, numbers and tables. */
  readonly syscalls: Syscalls;
  readonly instructions: Instructions;
  /** Where in functions the calls of Ftrace lie. */
  readonly ftraceSites: FtraceSites;
  /** Where the kernel patches its own text. */
  readonly patching: Patching;
  /** The registers of its processors. */
  readonly registers: Registers;
  /**
   * For hosts of this architecture: the machine code that handles SIGBUS;
   * without it, a memory file that is cut short ends the process.
   */
  readonly faultHandler?: FaultHandler;
}
