/**
 * The machines that an architecture's guests run on.
 *
 * @module
 */
import type { Board } from "../memory/ram_layout.ts";
import type { QemuDefaults } from "../memory/ram_layout_qemu.ts";

/** The machines that an architecture's guests run on. */
export interface Machines {
  /** The part after `qemu-system-` in the emulator's name. */
  readonly emulator: string;
  readonly defaults: QemuDefaults;
  /** Boards, which differ in how they lay out RAM; the likeliest first. */
  readonly boards: readonly Board[];
}
