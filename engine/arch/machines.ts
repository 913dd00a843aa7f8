/**
 * The machines that an architecture's guests run on.
 *
 * @module
 */
import type { Board } from "../memory/ram_layout.ts";
import type { QemuDefaults } from "../memory/ram_layout_qemu.ts";

/** See the module's comment. */
export interface Machines {
  /** What stands behind `qemu-system-` in the name of its emulator. */
  readonly emulator: string;
  readonly defaults: QemuDefaults;
  /** How they lay RAM out, the likeliest first. */
  readonly boards: readonly Board[];
}
