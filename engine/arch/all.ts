/**
 * The architectures of guests that can be read.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import type { ElfMachine } from "../memory/elf_core_format.ts";
import type { Board } from "../memory/ram_layout.ts";
import type { Arch } from "./arch.ts";
import { MACHINE_NAMES } from "./elf_machines.ts";
import { x86_64 } from "./x86_64/mod.ts";

/** Every architecture there is, in the order in which they are tried. */
export const architectures: readonly Arch[] = [x86_64];

/**
 * The architecture of that name.
 *
 * @param name default: x86_64, as recordings of before 0.2 do not say it
 * @throws {XftraceError} when there is none.
 */
export function archNamed(name: string = x86_64.name): Arch {
  const found = architectures.find((arch) => arch.name === name);
  if (found !== undefined) return found;
  throw new XftraceError(
    `${name} is no architecture that can be read; ${readableArchs()} are`,
  );
}

/** Names of all, for messages: `x86_64, arm64`. */
export function readableArchs(): string {
  return architectures.map(({ name }) => name).join(", ");
}

/**
 * The architecture whose guests an emulator runs: that of its name, or the
 * host's own (`kvm`).
 *
 * @param program its base name
 * @returns `undefined` when its guests cannot be read
 */
export function archOfEmulator(program: string): Arch | undefined {
  const named = /^qemu-system-(.+)$/.exec(program)?.[1];
  return architectures.find(({ machines, name }) =>
    named === undefined ? name === Deno.build.arch : machines.emulator === named
  );
}

/** All machines of all architectures, the likeliest first. */
export function allBoards(): Board[] {
  return architectures.flatMap(({ machines }) => machines.boards);
}

/**
 * Why the core of a machine cannot be read, as the end of a sentence;
 * `undefined`: it can.
 */
export function refuseMachine(elf: ElfMachine): string | undefined {
  const arch = architectures.find(({ elfMachine }) =>
    elfMachine === elf.machine
  );
  if (arch !== undefined && elf.is64 && elf.littleEndian) return undefined;
  const name = MACHINE_NAMES[elf.machine] ??
    (arch === undefined ? `machine ${elf.machine}` : `32-bit ${arch.name}`);
  return `is of a ${name} guest; only 64-bit ${readableArchs()} guests can be read`;
}
