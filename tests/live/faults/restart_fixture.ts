/**
 * Guests that restart within their QEMU.
 *
 * @module
 */
import { Guest } from "../../../lab/mod.ts";
import { SLOW } from "../support_fixture.ts";
import { until } from "./guest_fixture.ts";

/**
 * A kernel that a busy host hardly lets run while it boots panics, since "IO-APIC
 * + timer doesn't work"; KVM's guests do not try that either.
 */
const UNTRIED = "no_timer_check";

/** How often a test is begun when QEMU ends itself. */
const ATTEMPTS = 3;

/**
 * Runs a test with a guest that restarts within its QEMU; anew, with another
 * guest, if QEMU ended itself because of an error of its own. (7.2 does so at
 * times while an emulated kernel boots, see the lab.)
 */
export async function withRestarts(
  kernel: string,
  test: (guest: Guest) => Promise<void>,
  append = "",
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    await using guest = await Guest.boot({
      kernel,
      reboots: true,
      append: `${UNTRIED} ${append}`.trim(),
    });
    try {
      return await test(guest);
    } catch (error) {
      const words = guest.lastWords();
      const itself = !guest.running && /Assertion .* failed/.test(words);
      if (!itself || attempt === ATTEMPTS) throw error;
      console.log(`  QEMU ended itself; once more: ${words}`);
    }
  }
}

/** Restarts a guest, and waits until it is up again and something was done. */
export async function restart(
  guest: Guest,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const serial = guest.serialLog().length;
  void guest.exec("reboot -f", { timeoutMs: 10_000 }).catch(() => {});
  await meanwhile();
  await until(
    "the guest is up again, or has ended",
    () => /lab: ready/.test(guest.serialLog().slice(serial)) || !guest.running,
  );
  await guest.sh("true", SLOW);
}
