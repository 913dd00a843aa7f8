/**
 * Guests whose machine changes while they run.
 *
 * @module
 */
import type { Guest } from "../../../lab/mod.ts";
import { SLOW } from "../support_fixture.ts";
import { until } from "./guest_fixture.ts";

/** Bytes of a block of memory, the least that is plugged in. */
export const BLOCK_MIB = 128;

/**
 * Plugs a memory module in, which the guest uses at once.
 *
 * @param how `online_kernel`: for whatever it allocates from now on, since it is
 * the only memory above 4 GiB, which the kernel prefers; `online_movable`: for
 * what can be moved, so that it can be given back
 * @returns the path of the module's file
 */
export async function addMemory(
  guest: Guest,
  id: string,
  how = "online_kernel",
): Promise<string> {
  await guest.sh(
    `echo ${how} > /sys/devices/system/memory/auto_online_blocks`,
    SLOW,
  );
  const online = async () =>
    (await guest.sh("grep -lx online /sys/devices/system/memory/*/state", SLOW))
      .split("\n").length;
  const before = await online();
  const path = await guest.plugMemory(id, BLOCK_MIB);
  await until(
    "the guest uses its new memory",
    async () => await online() > before,
  );
  return path;
}

/**
 * Plugs a processor in, and has the guest use it. Not for emulated guests of
 * kernel 6.12, which take no processor that their firmware did not announce as
 * present.
 */
export async function addCpu(guest: Guest, cpu: number): Promise<void> {
  await guest.plugCpu(`cpu${cpu}`);
  await until(
    "the guest finds its new processor",
    async () =>
      (await guest.exec(`test -e ${cpuFile(cpu)}`, SLOW)).status === 0,
  );
  await setCpu(guest, cpu, true);
}

function cpuFile(cpu: number): string {
  return `/sys/devices/system/cpu/cpu${cpu}/online`;
}

/** Sets a processor online or offline. */
export async function setCpu(
  guest: Guest,
  cpu: number,
  online: boolean,
): Promise<void> {
  await guest.sh(`echo ${online ? 1 : 0} > ${cpuFile(cpu)}`, SLOW);
}
