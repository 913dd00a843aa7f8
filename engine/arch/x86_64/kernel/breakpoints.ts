/**
 * Hardware breakpoints: those that the debug registers hold, and those that the
 * kernel has booked. Sources: arch/x86/kernel/hw_breakpoint.c (bp_per_reg),
 * Intel SDM vol. 3, 18.2 (debug registers).
 *
 * @module
 */
import type { CpuRegisters } from "../../registers.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";

/** A breakpoint in a debug register. */
export interface Breakpoint {
  /** 0 to 3. */
  readonly register: number;
  /** GVA. */
  readonly address: bigint;
  readonly kind: "execution" | "writes" | "I/O" | "accesses";
}

const KINDS = ["execution", "writes", "I/O", "accesses"] as const;
/** HBP_NUM. */
const REGISTERS = 4;

/** The breakpoints that are enabled on a vCPU. */
export function enabledBreakpoints({ values }: CpuRegisters): Breakpoint[] {
  const { dr7 } = values;
  if (dr7 === undefined) return [];
  const found: Breakpoint[] = [];
  for (let register = 0; register < REGISTERS; register++) {
    // A local and a global bit each.
    if ((dr7 >> BigInt(2 * register) & 3n) === 0n) continue;
    const address = values[`dr${register}`];
    if (address === undefined) continue;
    const kind = KINDS[Number(dr7 >> BigInt(16 + 4 * register) & 3n)];
    found.push({ register, address, kind });
  }
  return found;
}

/** A breakpoint that the kernel has booked for a debug register. */
export interface BookedBreakpoint {
  readonly register: number;
  /** GVA. */
  readonly address: bigint;
  /** GVA of the function that is called, and of the pointer to it. */
  readonly handler: bigint;
  readonly handlerAt: bigint;
}

/**
 * The breakpoints in `bp_per_reg` of all CPUs; `undefined` when this kernel
 * does not say.
 *
 * @throws {MemoryError} when they cannot be read.
 */
export function bookedBreakpoints(
  kernel: Kernel,
): BookedBreakpoint[] | undefined {
  const { space, symbols, types } = kernel;
  const address = types.tryOffset("perf_event", "hw.info.address");
  const handler = types.tryOffset("perf_event", "overflow_handler");
  const known = symbols.tryAddress("bp_per_reg") !== undefined;
  if (!known || address === undefined || handler === undefined) {
    return undefined;
  }
  return kernel.perCpuOffsets.flatMap((_, cpu) => {
    const at = kernel.perCpu("bp_per_reg", cpu);
    const found: BookedBreakpoint[] = [];
    for (let register = 0; register < REGISTERS; register++) {
      const event = space.u64(at + BigInt(8 * register));
      if (event === 0n) continue;
      const handlerAt = event + BigInt(handler);
      found.push({
        register,
        address: space.u64(event + BigInt(address)),
        handler: space.u64(handlerAt),
        handlerAt,
      });
    }
    return found;
  });
}
