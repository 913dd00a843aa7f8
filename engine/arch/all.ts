/**
 * The supported guest architectures.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { shown } from "../base/shown.ts";
import type { ElfMachine } from "../memory/elf_core_format.ts";
import type { Board } from "../memory/ram_layout.ts";
import type { Arch } from "./arch.ts";
import { MACHINE_NAMES, MACHINE_NUMBERS } from "./elf_machines.ts";
import { x86_64 } from "./x86_64/mod.ts";

/** Every supported architecture, in the order in which they are tried. */
export const architectures: readonly Arch[] = [x86_64];

/**
 * The architecture with that name.
 *
 * @param name default: x86_64, since recordings made before 0.2 do not name one
 * @throws {XftraceError} when the name is unknown.
 */
export function archNamed(name: string = x86_64.name): Arch {
  const found = architectures.find((arch) => arch.name === name);
  if (found !== undefined) return found;
  throw new XftraceError(
    `${name} is no architecture that can be read; ${readableArchs()} are`,
  );
}

/** The names of all architectures, for messages: `x86_64, arm64`. */
export function readableArchs(): string {
  return architectures.map(({ name }) => name).join(", ");
}

/**
 * The architecture whose guests an emulator runs, taken from the emulator's
 * name; `kvm` means the host's own architecture.
 *
 * @param program the base name of the emulator
 * @returns `undefined` when its guests cannot be read
 */
export function archOfEmulator(program: string): Arch | undefined {
  const named = /^qemu-system-(.+)$/.exec(program)?.[1];
  return architectures.find(({ machines, name }) =>
    named === undefined ? name === Deno.build.arch : machines.emulator === named
  );
}

/** The boards of all architectures, the likeliest first. */
export function allBoards(): Board[] {
  return architectures.flatMap(({ machines }) => machines.boards);
}

/**
 * Says why a machine's core cannot be read, as the end of a sentence;
 * `undefined` when it can be read.
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

/**
 * Says why the dump of a machine with this name cannot be read, as the end of a
 * sentence; `undefined` when it can be read.
 *
 * @param name as `uname -m` prints it
 */
export function refuseNamedMachine(name: string): string | undefined {
  const machine = MACHINE_NUMBERS[name];
  return machine === undefined
    ? `is of a machine called "${
      shown(name)
    }"; only 64-bit ${readableArchs()} guests can be read`
    : refuseMachine({ machine, is64: true, littleEndian: true });
}
