/**
 * Checks that exist on x86-64 only.
 *
 * @module
 */
import type { Check } from "../../../detect/core/check.ts";
import { syscallDispatch } from "./xf002_syscall_dispatch.ts";
import { idt } from "./xf003_idt.ts";
import { cpuRegisters } from "./xf026_registers.ts";

/** All of them. */
export const checks: readonly Check[] = [
  syscallDispatch,
  idt,
  cpuRegisters,
];
