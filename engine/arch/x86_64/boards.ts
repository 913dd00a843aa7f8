/**
 * The boards of x86-64 guests, which differ in how they lay out RAM: each
 * leaves a hole below 4 GiB for PCI.
 *
 * Sources: QEMU's hw/i386/pc_q35.c, pc_piix.c, microvm.c, pc.c;
 * cloud-hypervisor's and firecracker's memory layouts.
 *
 * @module
 */
import type { Machines } from "../machines.ts";
import type { Board } from "../../memory/ram_layout.ts";

const GIB = 2 ** 30;
const FOUR_GIB = 4 * GIB;
/**
 * Start of AMD's HyperTransport window. With an AMD vCPU and addresses in use
 * up to here, QEMU 7.1 and later maps the RAM above 4 GiB from 1 TiB on; the
 * command line does not state the vendor reliably.
 */
const AMD_HT_START = 0xfd_0000_0000;
/** The largest default value of pci-hole64-size (q35). */
const PCI_HOLE64 = 32 * GIB;

const BOTH = { start: 0, high: FOUR_GIB } as const;
const QEMU = { ...BOTH, certainBelow: AMD_HT_START - PCI_HOLE64 } as const;
const never = () => false;

/** See {@linkcode Board}. */
export const Q35: Board = {
  ...QEMU,
  name: "q35",
  label: "q35",
  isType: (type) => type === "q35" || type.startsWith("pc-q35-"),
  low: (size, maxBelow) =>
    Math.min(
      size,
      size >= 0xb0000000 ? 0x80000000 : 0xb0000000,
      maxBelow || FOUR_GIB,
    ),
};

/** hw/i386/pc_piix.c: gigabyte_align is false up to machine version 1.7. */
const OLD_TYPE = /^pc(-i440fx)?-[01]\.\d+$/;

/** i440fx before version 2.0: the split is at 3.5 GiB. */
export const I440FX_1: Board = {
  ...QEMU,
  name: "i440fx-1.x",
  isType: (type) => OLD_TYPE.test(type),
  low: (size, maxBelow) => Math.min(size, maxBelow || 0xe0000000),
};

/** See {@linkcode Board}. */
export const I440FX: Board = {
  ...QEMU,
  name: "i440fx",
  label: "i440fx (pc)",
  isType: (type) =>
    type === "pc" || (type.startsWith("pc-i440fx-") && !OLD_TYPE.test(type)),
  low(size, maxBelow) {
    const low = maxBelow || 0xe0000000;
    return Math.min(size, size >= low ? Math.min(low, 0xc0000000) : low);
  },
};

/** See {@linkcode Board}. */
export const MICROVM: Board = {
  ...QEMU,
  name: "microvm",
  label: "microvm",
  isType: (type) => type === "microvm",
  low: (size) => Math.min(size, 0xc0000000),
};

/** Not a QEMU machine type. */
export const FIRECRACKER: Board = {
  ...BOTH,
  name: "firecracker",
  isType: never,
  low: (size) => Math.min(size, 0xd0000000),
};

/** See {@linkcode Machines}. */
export const machines: Machines = {
  emulator: "x86_64",
  defaults: { machine: "pc", ramBlock: "pc.ram" },
  boards: [
    Q35,
    I440FX,
    MICROVM,
    FIRECRACKER,
    I440FX_1,
  ],
};
