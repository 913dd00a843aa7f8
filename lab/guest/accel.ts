/**
 * Finds out whether guests run under KVM or must be emulated, by booting a
 * probe guest: on some machines with nested KVM, /dev/kvm opens but no guest
 * ever boots.
 *
 * @module
 */

import { type Accel, INSTALLED } from "../packages/emulator.ts";
import type { Kernel } from "../packages/kernel.ts";
import { lock } from "../host/lock.ts";
import { exists, readIfThere, runDirectory } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/** How many seconds the probe guest's kernel has to print its first message. */
const FIRST_WORD_SECONDS = 5;
/** How many seconds it has to reach user space. */
const BOOTED_SECONDS = 15;

/**
 * KVM if a guest really boots under it, else TCG. The answer is kept until the
 * host reboots. XFTRACE_LAB_ACCEL (kvm or tcg) overrides it.
 */
export async function findAccel(
  kernel: Kernel,
  initrd: string,
  onProgress: OnProgress,
): Promise<Accel> {
  const forced = Deno.env.get("XFTRACE_LAB_ACCEL");
  if (forced === "kvm" || forced === "tcg") return forced;
  if (!usable("/dev/kvm")) return "tcg";
  const boot = readIfThere("/proc/sys/kernel/random/boot_id")?.trim();
  const answer = `${runDirectory()}/.kvm-${boot}`;
  using _held = await lock(`${answer}.lock`);
  const known = readIfThere(answer);
  if (known === "kvm" || known === "tcg") return known;
  onProgress("trying whether guests boot under KVM");
  const found = await probe(kernel, initrd) ? "kvm" : "tcg";
  Deno.writeTextFileSync(answer, found);
  return found;
}

function usable(path: string): boolean {
  if (!exists(path)) return false;
  try {
    Deno.openSync(path, { read: true, write: true }).close();
    return true;
  } catch {
    return false;
  }
}

/** Boots a tiny guest and waits for the message that its user space prints. */
async function probe(kernel: Kernel, initrd: string): Promise<boolean> {
  const child = new Deno.Command("timeout", {
    args: [
      "--kill-after=1",
      String(BOOTED_SECONDS),
      INSTALLED.program,
      ..."-accel kvm -cpu host -machine q35 -m 512M -display none".split(" "),
      ..."-nodefaults -no-user-config -no-reboot -serial stdio".split(" "),
      "-kernel",
      kernel.vmlinuz,
      "-initrd",
      initrd,
      "-append",
      "console=ttyS0 earlyprintk=ttyS0 panic=-1 xftrace_lab_probe",
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let said = "";
  // SIGTERM, since `timeout` passes it on; SIGKILL would leave QEMU behind.
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
  };
  const silence = setTimeout(
    () => said.includes("Linux version") || stop(),
    FIRST_WORD_SECONDS * 1000,
  );
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += chunk;
    if (said.includes("lab: probe ok")) stop();
  }
  clearTimeout(silence);
  await child.status;
  return said.includes("lab: probe ok");
}
