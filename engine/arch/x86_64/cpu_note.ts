/**
 * The state of each CPU as QEMU writes it into a core, one note of owner `QEMU`
 * per CPU.
 *
 * @module
 */

/** State of one CPU from a note of owner `QEMU`. */
export interface QemuCpuState {
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rflags: bigint;
  readonly cr0: bigint;
  readonly cr2: bigint;
  /** CR3: GPA of the top page table, with flag bits. */
  readonly cr3: bigint;
  readonly cr4: bigint;
  /** GVA of the interrupt descriptor table. */
  readonly idtBase: bigint;
  /** GVA of the global descriptor table. */
  readonly gdtBase: bigint;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** The inactive GS base (swapgs), if this QEMU version writes it. */
  readonly kernelGsBase?: bigint;
}

/**
 * Reads a `QEMU` note: struct QEMUCPUState of QEMU's target/i386/arch_dump.c,
 * version 1. Returns undefined for other versions.
 */
export function parseQemuCpu(desc: Uint8Array): QemuCpuState | undefined {
  const minimum = 8 + 18 * 8 + 10 * 24 + 5 * 8;
  if (desc.length < minimum) return undefined;
  const data = new DataView(desc.buffer, desc.byteOffset, desc.byteLength);
  if (data.getUint32(0, true) !== 1) return undefined;
  const u64 = (at: number) => data.getBigUint64(at, true);
  // 16 general registers, rip, rflags; then ten segments of 24 bytes: cs ds
  // es fs gs ss ldt tr gdt idt; then cr0..cr4.
  const register = (index: number) => u64(8 + index * 8);
  const segmentBase = (index: number) => u64(8 + 18 * 8 + index * 24 + 16);
  const control = (index: number) => u64(8 + 18 * 8 + 10 * 24 + index * 8);
  return {
    rip: register(16),
    rflags: register(17),
    rsp: register(6),
    fsBase: segmentBase(3),
    gsBase: segmentBase(4),
    gdtBase: segmentBase(8),
    idtBase: segmentBase(9),
    cr0: control(0),
    cr2: control(2),
    cr3: control(3),
    cr4: control(4),
    kernelGsBase: desc.length >= minimum + 8 ? u64(minimum) : undefined,
  };
}
