/**
 * Makes QEMU's command line and the kernel's parameters for a guest.
 *
 * @module
 */

import type { Accel } from "../packages/emulator.ts";
import { CONTROL_PORT } from "./initramfs.ts";
import type { GuestSettings } from "../host/options.ts";
import { AGENT_PORT } from "../packages/qemu_agent.ts";

/** Files that QEMU is started with. */
export interface QemuFiles {
  /** The guest's folder: FIFOs, logs, sockets. */
  readonly directory: string;
  /** The memory file; default: private memory. */
  readonly memory?: string;
  /** What to boot; default: the machine stays in its firmware. */
  readonly boot?: {
    readonly vmlinuz: string;
    readonly initrd: string;
    /** Rate of the host's time-stamp counter, in kHz. */
    readonly hostKhz: number;
  };
}

/** Names (without `.in`, `.out`) of the FIFO pairs that QEMU needs. */
export function pipeNames(): string[] {
  const ports = Array.from(
    { length: CONTROL_PORT },
    (_, i) => `port.${i + 1}`,
  );
  return [...ports, "serial"];
}

/**
 * The kernel's command line. What the user appends comes last, and so takes
 * precedence.
 */
export function kernelParameters(
  settings: GuestSettings,
  accel: Accel,
  hostKhz: number,
): string {
  return [
    "console=ttyS0",
    "panic=-1",
    ...(emulatedMicrovm(settings, accel)
      ? [
        `tsc_early_khz=${hostKhz}`,
        `lpj=${hostKhz * 1000 / DEBIAN_HZ}`,
        "tsc=reliable",
      ]
      : []),
    `xftrace_lab=${settings.name}`,
    settings.append,
  ].join(" ").trim();
}

/** Timer interrupts a second in Debian's kernels. */
const DEBIAN_HZ = 250;

/**
 * An emulated microvm has no timer against which the kernel could calibrate its
 * time-stamp counter, and with ACPI none that interrupts: the rate must be
 * given. Without ACPI Debian's kernels do not find its virtio devices, so
 * commands go over the serial line.
 */
function emulatedMicrovm(settings: GuestSettings, accel: Accel): boolean {
  return settings.machine === "microvm" && accel === "tcg";
}

/**
 * QEMU 7.2 emulates CMPXCHG16B wrongly: the allocator of 6.12, which uses it,
 * then faults within a minute (in four of four boots of the cloud kernel with
 * several processors). Kernels work without it.
 */
const EMULATED_CPU = "max,cx16=off";

/** How many memory modules may be plugged in. */
const MEMORY_SLOTS = 4;

/** QEMU's arguments for a guest. */
export function qemuArguments(
  settings: GuestSettings,
  accel: Accel,
  files: QemuFiles,
): string[] {
  const { directory, memory, boot } = files;
  const microvm = settings.machine === "microvm";
  const cpu = settings.cpu ?? (accel === "kvm" ? "host" : EMULATED_CPU);
  const size = `${settings.mem}M`;
  const machine = settings.machine +
    (emulatedMicrovm(settings, accel) ? ",acpi=off" : "") +
    (memory ? ",memory-backend=ram" : "");
  return [
    ...["-name", settings.name],
    ...["-machine", machine],
    ...["-accel", accel === "kvm" ? "kvm" : "tcg,thread=multi"],
    ...["-cpu", cpu],
    "-smp",
    String(settings.cpus) +
    (settings.maxCpus > settings.cpus ? `,maxcpus=${settings.maxCpus}` : ""),
    "-m",
    size +
    (settings.maxMem > settings.mem
      ? `,slots=${MEMORY_SLOTS},maxmem=${settings.maxMem}M`
      : ""),
    ...(memory
      ? [
        "-object",
        `memory-backend-file,id=ram,size=${size},mem-path=${memory},share=on`,
      ]
      : []),
    ...["-display", "none", "-nodefaults", "-no-user-config"],
    ...(settings.reboots ? [] : ["-no-reboot"]),
    ...(settings.incoming === undefined
      ? []
      : ["-incoming", `unix:${settings.incoming}`]),
    ...["-pidfile", `${directory}/qemu.pid`],
    ...["-qmp", `unix:${directory}/qmp.sock,server=on,wait=off`],
    ...["-chardev", `file,id=console,path=${directory}/serial.log`],
    ...["-serial", "chardev:console"],
    // A second serial line, for kernels that do not find virtio devices.
    ...["-chardev", `pipe,id=serial,path=${directory}/serial`],
    ...(microvm
      ? ["-device", "isa-serial,chardev=serial,index=1,iobase=0x2f8,irq=3"]
      : ["-serial", "chardev:serial"]),
    ...["-device", `virtio-serial-${microvm ? "device" : "pci"},max_ports=16`],
    ...Array.from({ length: CONTROL_PORT }, (_, i) => [
      ...["-chardev", `pipe,id=p${i + 1},path=${directory}/port.${i + 1}`],
      "-device",
      `virtserialport,chardev=p${i + 1},name=lab.${i + 1}`,
    ]).flat(),
    ...(settings.agent
      ? [
        "-chardev",
        `socket,id=qga0,path=${directory}/qga.sock,server=on,wait=off`,
        ...["-device", `virtserialport,chardev=qga0,name=${AGENT_PORT}`],
      ]
      : []),
    ...(boot
      ? [
        ...["-kernel", boot.vmlinuz, "-initrd", boot.initrd],
        ...["-append", kernelParameters(settings, accel, boot.hostKhz)],
      ]
      : []),
    ...settings.qemuArgs,
  ];
}
