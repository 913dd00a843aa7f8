/**
 * Which columns this kernel's flags have, by the legend that it prints above
 * them.
 *
 * @module
 */
import { KernelError } from "../../../base/errors.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";

/**
 * Functions that hold a legend's lines (kernel/trace/trace.c); compilers put the
 * first two into the others.
 */
const PRINTERS = [
  "print_lat_help_header",
  "print_func_help_header_irq",
  "trace_default_header",
  "trace_latency_header",
];

/** More bytes than such a function has, and than a line of a legend. */
const MOST_TEXT = 1 << 14;
const MOST_LINE = 128;
/** More addresses than such a function holds. */
const MOST_LINES = 256;

/**
 * Whether the legend has the line `migrate-disable`: then the upper half of an
 * entry's count is how often migration is disabled, otherwise all of it is the
 * depth of preemption ("tracing: Add migrate-disabled counter to tracing output",
 * 54357f0c9149, 5.15). No type tells these kernels apart.
 *
 * @throws {KernelError} when there is no such legend where it is known to be.
 */
export function hasMigrateColumn({ arch, space, symbols }: Kernel): boolean {
  const start = symbols.tryAddress("__start_rodata");
  const end = symbols.tryAddress("__end_rodata");
  const lines: string[] = [];
  if (start !== undefined && end !== undefined) {
    for (const name of PRINTERS) {
      const gva = symbols.tryAddress(name);
      const size = gva === undefined ? 0 : symbols.lookup(gva)?.size ?? 0;
      if (gva === undefined || size === 0 || size > MOST_TEXT) continue;
      const text = space.bytes(gva, size);
      lines.push(
        ...arch.instructions.heldAddresses(text, { start, end })
          .slice(0, MOST_LINES)
          .map((line) => space.string(line, MOST_LINE)),
      );
    }
  }
  if (lines.some((line) => line.includes("preempt-depth"))) {
    return lines.some((line) => line.includes("migrate-disable"));
  }
  throw new KernelError(
    "this kernel prints the legend of its flags where xftrace does not know: " +
      "which columns they have is not known",
  );
}
