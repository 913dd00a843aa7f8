/**
 * Starts a guest: QEMU with the guest's memory in a file, with a guard that
 * ends it; then waits until the guest takes commands.
 *
 * @module
 */

import { findAccel } from "./accel.ts";
import { Channel } from "./channel.ts";
import { LabError } from "../host/errors.ts";
import { findEmulator } from "../packages/emulator.ts";
import { ensurePackages, hostKhz } from "../host/host.ts";
import { initramfs } from "./initramfs.ts";
import { findKernel } from "../packages/kernel.ts";
import { sleep } from "../host/lock.ts";
import { memoryFilePath } from "./memory_file.ts";
import type { GuestSettings } from "../host/options.ts";
import { exists, guestDirectory, readIfThere } from "../host/paths.ts";
import { livePid } from "../host/processes.ts";
import type { OnProgress } from "../host/progress.ts";
import { pipeNames, qemuArguments } from "./qemu.ts";
import {
  claim,
  end,
  type GuestRecord,
  type RunningGuest,
  writeRecord,
} from "./registry.ts";
import { runOrFail } from "../host/run.ts";

/**
 * Boots a guest and waits until it takes commands; a boot that hangs or crashes
 * in a known way is repeated.
 *
 * @throws {LabError} with the guest's last messages, if it did not come up.
 */
export async function startGuest(
  settings: GuestSettings,
  onProgress: OnProgress,
): Promise<RunningGuest> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    throw new LabError("the lab needs a Linux host with an x86-64 processor");
  }
  await ensurePackages(onProgress);
  const { name } = settings;
  for (let attempt = 1;; attempt++) {
    using _claimed = await claim(name);
    try {
      return await launch(settings, onProgress);
    } catch (error) {
      await end(name);
      if (!(error instanceof Stalled) || attempt === ATTEMPTS) throw error;
      onProgress("the guest did not survive its boot; trying again");
    }
  }
}

/**
 * A boot that hung. An emulated guest that enables a tracer for all functions
 * at boot can hang: rewriting the code makes its timer interrupt take longer
 * than the timer's period. Seen in about one boot of eight on a busy host,
 * always before the next message; trying again helps.
 */
class Stalled extends LabError {}
/**
 * The oops of a processor that hits a breakpoint which another has already
 * removed: the kernel patches itself at boot (jump labels), and an emulated
 * processor may still run the old code. Trying again helps.
 */
const PATCHING = /Oops: int3/;
/** QEMU 7.2 ends itself like this at times when it emulates several processors. */
const ASSERTION = /iotlb_to_section: Assertion .* failed/;
const ATTEMPTS = 4;
/**
 * How many seconds without a new message count as a hang. A boot that traces
 * all functions pauses for 15.
 */
const STALL_SECONDS = 45;

async function launch(
  settings: GuestSettings,
  onProgress: OnProgress,
): Promise<RunningGuest> {
  const { name, mem, cpus, machine } = settings;
  const directory = guestDirectory(name);
  const socket = `${directory}/qmp.sock`;
  if (socket.length > 107) {
    throw new LabError(
      `the path ${socket} is too long for a socket; set XDG_RUNTIME_DIR to a ` +
        "folder with a shorter name",
    );
  }
  const firmwareOnly = settings.kernel === "none";
  const kernel = firmwareOnly
    ? undefined
    : await findKernel(settings.kernel, settings.flavour, onProgress);
  const initrd = kernel &&
    await initramfs(kernel, settings, onProgress);
  const accel = kernel && initrd
    ? await findAccel(kernel, initrd, onProgress)
    : "tcg";
  const emulator = await findEmulator(accel, onProgress);
  const memoryFile = settings.share ? memoryFilePath(name, mem) : undefined;
  const record: GuestRecord = {
    name,
    target: `qemu:${name}`,
    memoryFile,
    kernel: kernel ? kernel.release || kernel.vmlinuz : "none",
    mem,
    cpus,
    machine,
    accel,
    started: Date.now(),
    serialOnly: false,
  };
  writeRecord(record);
  await runOrFail(
    "mkfifo",
    ["-m", "600"].concat(
      pipeNames().flatMap((pipe) => [
        `${directory}/${pipe}.in`,
        `${directory}/${pipe}.out`,
      ]),
    ),
    "making the guest's pipes",
  );
  await detach([
    "sh",
    new URL("guard.sh", import.meta.url).pathname,
    directory,
    memoryFile ?? "",
    String(settings.lifeSeconds),
    String(Deno.pid),
    settings.outlive ? "outlive" : "",
    emulator.program,
    ...emulator.data.flatMap((folder) => ["-L", folder]),
    ...qemuArguments(settings, accel, {
      directory,
      memory: memoryFile,
      boot: kernel && initrd
        ? { vmlinuz: kernel.vmlinuz, initrd, hostKhz: hostKhz() }
        : undefined,
    }),
  ]);

  const how = accel === "kvm" ? "under KVM" : "emulated";
  onProgress(`booting ${record.kernel}, ${how}`);
  const pid = await qemuPid(directory);
  // One that comes from another QEMU is up once it has arrived.
  if (settings.incoming !== undefined) {
    await listening(directory, settings.incoming);
    return { ...record, pid };
  }
  const serialOnly = firmwareOnly
    ? false
    : await ready(directory, settings, pid);
  writeRecord({ ...record, serialOnly });
  if (!firmwareOnly) await firstCommand(directory, serialOnly, pid);
  markReady(directory);
  return { ...record, serialOnly, pid };
}

/** Has the guard remove the guest's folder at its end. */
export function markReady(directory: string): void {
  Deno.writeTextFileSync(`${directory}/ready`, "");
}

/** Waits until QEMU takes a guest at a socket. */
async function listening(directory: string, socket: string): Promise<void> {
  while (!exists(socket)) {
    if (exists(`${directory}/exit`)) throw failure(directory, "did not start");
    await sleep(20);
  }
}

/** Starts a command without a terminal, which outlives this process. */
async function detach(command: readonly string[]): Promise<void> {
  const { success } = await new Deno.Command("setsid", {
    args: ["--fork", ...command],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) throw new LabError("the guest's guard could not be started");
}

/** Waits for QEMU's pid, and for its log, which it opens later. */
async function qemuPid(directory: string): Promise<number> {
  for (;;) {
    const pid = livePid(directory, "qemu.pid");
    if (pid !== undefined && exists(`${directory}/serial.log`)) return pid;
    if (exists(`${directory}/exit`)) throw failure(directory, "did not start");
    await sleep(20);
  }
}

/**
 * Waits for the guest's ready message; returns whether it has only a serial
 * line.
 */
async function ready(
  directory: string,
  settings: GuestSettings,
  pid: number,
): Promise<boolean> {
  const until = performance.now() + settings.bootSeconds * 1000;
  let length = 0;
  let heard = performance.now();
  for (;;) {
    const log = readIfThere(`${directory}/serial.log`) ?? "";
    if (log.length !== length) heard = performance.now();
    length = log.length;
    const word = log.match(/lab: ready (virtio|serial)/)?.[1];
    if (word) return word === "serial";
    if (livePid(directory, "qemu.pid") !== pid) {
      const ended = failure(directory, "ended while it booted");
      const now = readIfThere(`${directory}/serial.log`) ?? "";
      throw PATCHING.test(now) || ASSERTION.test(ended.message)
        ? new Stalled(ended.message)
        : ended;
    }
    if (performance.now() > heard + STALL_SECONDS * 1000) {
      throw new Stalled(failure(directory, "hung while it booted").message);
    }
    if (performance.now() > until) {
      throw failure(
        directory,
        `was not up within ${settings.bootSeconds} seconds`,
      );
    }
    await sleep(50);
  }
}

async function firstCommand(
  directory: string,
  serialOnly: boolean,
  pid: number,
): Promise<void> {
  const alive = () => livePid(directory, "qemu.pid") === pid;
  const channel = new Channel(directory, alive, serialOnly);
  try {
    await channel.exec("true", { timeoutMs: 60_000 });
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    throw failure(directory, "came up but takes no commands");
  }
}

/** Makes an error with the last messages of QEMU, or else of the guest. */
function failure(directory: string, what: string): LabError {
  const last = (file: string, lines: number) =>
    (readIfThere(`${directory}/${file}`) ?? "").trim().split("\n")
      .slice(-lines).map((line) => line.trimEnd()).join("\n");
  const words = last("qemu.log", 5) || last("serial.log", 20);
  return new LabError(
    `the guest ${what}${words ? `; its last words:\n${words}` : ""}`,
  );
}
