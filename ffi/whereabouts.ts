/**
 * Whether a guest is still run by the process that was opened. One that was
 * moved to another QEMU (live migration) leaves its memory behind, as it was when
 * it stopped, and looks like a guest that is paused.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "../engine/base/errors.ts";
import type { Kernel } from "../engine/kernel/core/kernel.ts";
import type { Whereabouts } from "../engine/session.ts";
import type { VmProcess } from "../engine/targets/vm.ts";
import { QmpClient, type QmpLimits } from "./qmp.ts";

/** The most monitors of one VM that are tried. */
const MOST_MONITORS = 4;
/**
 * States in which the host lets no processor of the guest run (RunState in QEMU's
 * qapi/run-state.json). What a guest can bring about by itself is not among them.
 */
const STOPPED: ReadonlySet<string> = new Set([
  "debug",
  "finish-migrate",
  "inmigrate",
  "io-error",
  "paused",
  "prelaunch",
  "restore-vm",
  "save-vm",
]);
const STATUS = z.object({ status: z.string() });

/**
 * Asks QEMU's monitor, which does not disturb the guest.
 *
 * @param monitor path of a QMP socket; default: those on the VM's command line
 */
export function askWhereabouts(
  vm: Pick<VmProcess, "kind" | "libvirt" | "monitors" | "pid">,
  monitor?: string,
  limits?: QmpLimits,
): Whereabouts {
  if (vm.kind !== "qemu") return "unknown";
  // libvirt keeps the monitor of a domain to itself.
  const own = vm.libvirt ? [] : vm.monitors ?? [];
  const sockets = monitor === undefined ? own : [monitor];
  for (const socket of sockets.slice(0, MOST_MONITORS)) {
    try {
      const pid = monitor === undefined ? vm.pid : undefined;
      using client = new QmpClient(socket, limits, pid);
      const { data } = STATUS.safeParse(client.ask("query-status"));
      if (data !== undefined) {
        if (data.status === "postmigrate") return "away";
        return STOPPED.has(data.status) ? "paused" : "here";
      }
    } catch (error) {
      // It may serve another client, and the next one may be free.
      if (!(error instanceof XftraceError)) throw error;
    }
  }
  return "unknown";
}

/** How long a clock stands still until the monitor is asked, ms. */
const STILL_MS = 1000;
/** Time between two questions, and after one that nobody answered, ms. */
const ASK_MS = 3000;
const SILENT_MS = 30_000;

/**
 * Notices that a guest that is followed was moved. Its monitor is asked only
 * while its clock stands still.
 */
export class MoveWatch {
  readonly #kernel: Kernel;
  readonly #ask: () => Whereabouts;
  readonly #clock: () => number;
  #askAt = 0;
  #away = false;
  #paused = false;

  constructor(
    kernel: Kernel,
    ask: () => Whereabouts,
    clock: () => number = () => performance.now(),
  ) {
    this.#kernel = kernel;
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Whether the host had stopped the guest when it was looked at last. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the guest was moved. */
  look(): boolean {
    if ((this.#kernel.origin?.stillMs() ?? 0) < STILL_MS) {
      // It may have been set going again.
      this.#away = this.#paused = false;
      return false;
    }
    const now = this.#clock();
    if (now < this.#askAt) return this.#away;
    const where = this.#ask();
    this.#askAt = now + (where === "unknown" ? SILENT_MS : ASK_MS);
    this.#away = where === "away";
    this.#paused = where === "paused";
    return this.#away;
  }
}
