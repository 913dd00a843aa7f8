/**
 * The x86-64 architecture (AMD64, Intel 64).
 *
 * @module
 */
import type { Arch } from "../arch.ts";
import { machines } from "./boards.ts";
import { faultHandler } from "./fault_handler.ts";
import { finder } from "./finder.ts";
import { ftraceSites } from "./ftrace_sites.ts";
import { image } from "./image.ts";
import { instructions } from "./instructions.ts";
import { kernelFiles } from "./kernel_file.ts";
import { patching } from "./patching.ts";
import { registers } from "./registers.ts";
import { syscalls } from "./syscalls.ts";

/** See {@linkcode Arch}. */
export const x86_64: Arch = {
  name: "x86_64",
  // EM_X86_64.
  elfMachine: 62,
  machines,
  image,
  finder,
  kernelFiles,
  syscalls,
  instructions,
  ftraceSites,
  patching,
  registers,
  faultHandler,
};
