/**
 * Names of machines by their ELF number (include/uapi/linux/elf-em.h), for
 * messages about those that cannot be read.
 *
 * @module
 */

/** Names by `e_machine`. */
export const MACHINE_NAMES: Readonly<Record<number, string>> = {
  3: "32-bit x86 (i386)",
  8: "MIPS",
  20: "32-bit PowerPC",
  21: "64-bit PowerPC (ppc64)",
  22: "s390x",
  40: "32-bit ARM",
  183: "arm64 (aarch64)",
  243: "RISC-V",
  258: "LoongArch",
};

/** Numbers by the name that `uname -m` prints, of 64-bit, little-endian ones. */
export const MACHINE_NUMBERS: Readonly<Record<string, number>> = {
  x86_64: 62,
  aarch64: 183,
  ppc64le: 21,
  riscv64: 243,
  loongarch64: 258,
};
