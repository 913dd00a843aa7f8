/**
 * Asks a VM's monitor for the registers of its processors. Each vCPU leaves
 * guest mode for it, and enters it again at once.
 *
 * @module
 */
import { z } from "zod";
import type { Registers } from "../engine/arch/registers.ts";
import { readingOf, type RegisterReading } from "../engine/arch/registers.ts";
import { XftraceError } from "../engine/base/errors.ts";
import { shownText } from "../engine/base/shown.ts";
import type { PhysicalMemory } from "../engine/memory/physical_memory.ts";
import type { VmProcess } from "../engine/targets/vm.ts";
import { QmpClient, type QmpLimits } from "./qmp.ts";
import { connectionOf, virsh } from "./virsh.ts";

/** The most monitors of one VM that are tried. */
const MOST_MONITORS = 4;
/** How long libvirt may take, s. */
const VIRSH_SECONDS = 5;

/**
 * Reads the registers of all vCPUs.
 *
 * @param monitor path of a QMP socket; default: those on the VM's command line
 * at which the VM's own process listens
 * @returns why there are none, when nobody tells them in time
 */
export async function askRegisters(
  vm: VmProcess,
  memory: PhysicalMemory,
  registers: Registers,
  monitor?: string,
  limits?: QmpLimits,
): Promise<RegisterReading> {
  try {
    if (monitor === undefined && vm.libvirt) {
      return await askLibvirt(vm, memory, registers);
    }
    if (vm.kind !== "qemu") {
      return { why: `${vm.kind} tells no registers` };
    }
    if (monitor !== undefined) {
      return askQmp(monitor, undefined, memory, registers, limits);
    }
    const sockets = vm.monitors ?? [];
    let why =
      "its QEMU has no monitor that can be asked; start it with -qmp unix:PATH,server=on,wait=off, or name the socket: --monitor PATH";
    for (const socket of sockets.slice(0, MOST_MONITORS)) {
      try {
        return askQmp(socket, vm.pid, memory, registers, limits);
      } catch (error) {
        // It may serve another client, and the next one may be free.
        if (!(error instanceof XftraceError)) throw error;
        why = error.message;
      }
    }
    return { why };
  } catch (error) {
    if (error instanceof XftraceError) return { why: error.message };
    throw error;
  }
}

function askQmp(
  socket: string,
  pid: number | undefined,
  memory: PhysicalMemory,
  registers: Registers,
  limits: QmpLimits | undefined,
): RegisterReading {
  using client = new QmpClient(socket, limits, pid);
  const text = z.string().safeParse(
    client.ask("human-monitor-command", {
      "command-line": registers.monitorCommand,
    }),
  );
  if (!text.success) {
    return { why: `QEMU's monitor at ${socket} answers with no text` };
  }
  return readingOf(
    registers,
    memory,
    registers.fromMonitor(text.data),
    "QEMU's monitor",
  );
}

async function askLibvirt(
  vm: VmProcess,
  memory: PhysicalMemory,
  registers: Registers,
): Promise<RegisterReading> {
  const uri = connectionOf(vm);
  const { code, out, err } = await virsh([
    ...(uri === undefined ? [] : ["-c", uri]),
    "qemu-monitor-command",
    // By its option: a name may begin with a dash.
    "--domain",
    vm.uuid ?? vm.name,
    "--hmp",
    registers.monitorCommand,
  ], VIRSH_SECONDS);
  if (code !== 0) {
    return {
      why: `libvirt does not ask QEMU's monitor: ${
        shownText(err.replace(/^error: /gm, "")) || `virsh ended with ${code}`
      }`,
    };
  }
  return readingOf(
    registers,
    memory,
    registers.fromMonitor(out),
    "QEMU's monitor, through libvirt",
  );
}
