/**
 * Steady work in a guest, for as long as it runs.
 *
 * @module
 */
import type { Guest } from "../../../lab/mod.ts";
import { TRACEFS } from "../support_fixture.ts";

/**
 * Has each CPU open a file about every 10 ms, so that each key is taken, and
 * has the stock buffers record switches of tasks.
 */
export async function workSteadily(guest: Guest, cpus: number): Promise<void> {
  // Waiting at a pipe starts no process, which would be slow under emulation.
  const each = Array.from(
    { length: cpus },
    (_, cpu) =>
      `mkfifo /tmp/never${cpu}; taskset ${
        (1 << cpu).toString(16)
      } sh -c 'exec 3<>/tmp/never${cpu}; while :; do read -t 0.008 x <&3; read x < /proc/uptime; done' >/dev/null 2>&1 </dev/null &`,
  );
  await guest.sh(
    `cd ${TRACEFS}; echo 1 > events/sched/sched_switch/enable
${each.join("\n")}`,
  );
}
