/**
 * What differs from one architecture to the next. All that the rest of the
 * engine knows of a processor it asks for here; `all.ts` lists the
 * architectures there are. docs/adding_an_architecture.md is the checklist.
 *
 * @module
 */
import type { FtraceSites } from "./ftrace_sites.ts";
import type { ImageMap } from "./image_map.ts";
import type { Instructions } from "./instructions.ts";
import type { KernelFiles } from "./kernel_file.ts";
import type { KernelFinder } from "./kernel_place.ts";
import type { Machines } from "./machines.ts";
import type { Patching } from "./patching.ts";
import type { Syscalls } from "./syscalls.ts";

/** One architecture of guests. */
export interface Arch {
  /** As `uname -m` says it. */
  readonly name: string;
  /** `e_machine` of ELF files. */
  readonly elfMachine: number;
  /** What its guests run on: boards, and QEMU. */
  readonly machines: Machines;
  /** Where a kernel, its modules and the direct map lie. */
  readonly image: ImageMap;
  /** From bare memory to page tables. */
  readonly finder: KernelFinder;
  /** What a kernel's file is packed in. */
  readonly kernelFiles: KernelFiles;
  /** Names, numbers and tables. */
  readonly syscalls: Syscalls;
  readonly instructions: Instructions;
  /** Where functions call Ftrace. */
  readonly ftraceSites: FtraceSites;
  /** Where the kernel changes its own text. */
  readonly patching: Patching;
}
