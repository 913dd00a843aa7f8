/**
 * The guest's agent: given another configuration, taken away, brought back.
 *
 * @module
 */
import type { Guest } from "../../../lab/mod.ts";
import { SLOW } from "../support_fixture.ts";

/** Waits until one agent runs, and has opened its port. */
const READY =
  "until pid=$(pidof qemu-ga) && ls -l /proc/$pid/fd | grep -q port; do sleep 0.1; done";

/** Restarts the agent with this configuration; without one, as it was. */
export async function restartAgent(
  guest: Guest,
  configuration = "",
): Promise<void> {
  await guest.sh(
    `mkdir -p /etc/qemu; printf '${configuration}' > /etc/qemu/qemu-ga.conf
old=$(pidof qemu-ga); kill $old; while [ -e /proc/$old ]; do sleep 0.1; done; ${READY}`,
    SLOW,
  );
}

/** Ends the agent, and has init not start another. */
export async function removeAgent(guest: Guest): Promise<void> {
  await guest.sh(
    `cp /etc/inittab /tmp/inittab; sed -i /qemu-ga/d /etc/inittab
kill -HUP 1; sleep 2; killall qemu-ga`,
    SLOW,
  );
}

/** Has init start the agent again. */
export async function returnAgent(guest: Guest): Promise<void> {
  await guest.sh(
    `mv /tmp/inittab /etc/inittab; kill -HUP 1; ${READY}`,
    SLOW,
  );
}
