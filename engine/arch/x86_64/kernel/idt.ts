/**
 * The interrupt descriptor table. Source: arch/x86/kernel/idt.c,
 * arch/x86/include/asm/desc_defs.h.
 *
 * @module
 */
import type { Kernel } from "../../../kernel/core/kernel.ts";

/** One gate. */
export interface Gate {
  readonly vector: number;
  /** GVA of its descriptor. */
  readonly gva: bigint;
  /** GVA of its handler. */
  readonly handler: bigint;
  readonly present: boolean;
  /** Least privileged level that may raise it with `int`: 3 for user space. */
  readonly dpl: number;
  readonly segment: number;
  readonly bytes: Uint8Array;
}

const GATES = 256;
const GATE_BYTES = 16;

/** Reads the gates in `idt_table`. */
export function idtGates(kernel: Kernel): Gate[] {
  const table = kernel.symbols.address("idt_table");
  const bytes = kernel.space.bytes(table, GATES * GATE_BYTES);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: GATES }, (_, vector) => {
    const o = vector * GATE_BYTES;
    const handler = BigInt(view.getUint32(o + 8, true)) << 32n |
      BigInt(view.getUint16(o + 6, true)) << 16n |
      BigInt(view.getUint16(o, true));
    const attributes = view.getUint8(o + 5);
    return {
      vector,
      gva: table + BigInt(o),
      handler,
      present: (attributes & 0x80) !== 0,
      dpl: (attributes >> 5) & 3,
      segment: view.getUint16(o + 2, true),
      bytes: bytes.slice(o, o + GATE_BYTES),
    };
  });
}

/**
 * Reads `idt_descr`, the descriptor given to the processors: the table's
 * address and limit.
 */
export function idtDescriptor(
  kernel: Kernel,
): { gva: bigint; address: bigint; limit: number } {
  const gva = kernel.symbols.address("idt_descr");
  return {
    gva,
    limit: kernel.space.u16(gva),
    address: kernel.space.u64(gva + 2n),
  };
}
