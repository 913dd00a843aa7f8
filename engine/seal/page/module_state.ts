/**
 * The state that the module's control page reports. None of it is sealed: it is
 * for display, while the verifier decides what is trusted.
 *
 * @module
 */
import { CONTROL, CPU, PHASE, SEAL_NUMBER, type SealName } from "./abi.ts";
import type { ControlPage } from "./control_page.ts";

/** Entries that the guest could not write, by reason. */
export interface Dropped {
  /** In an NMI, which could have interrupted the writing of another entry. */
  readonly nmi: number;
  /** Before the first key. */
  readonly unkeyed: number;
  /** While another entry was being written on the same CPU. */
  readonly nested: number;
}

/** No dropped entries. */
export const NONE_DROPPED: Dropped = { nmi: 0, unkeyed: 0, nested: 0 };

/** The current state of the module. */
export interface ModuleState {
  /** The flag that the host sets: whether it records. */
  readonly enabled: boolean;
  /** Whether it is registered with the function graph. */
  readonly registered: boolean;
  readonly seal: SealName;
  /** Whether it was off for so long that its filter was removed. */
  readonly parked: boolean;
  /** How often the rings have been emptied since it was loaded. */
  readonly generation: number;
  /** What its thread is doing: `idle`, `registering`. */
  readonly phase: string;
  /** The newest entry of each CPU, and the epoch of the key in use; 0: none. */
  readonly cpus: readonly {
    readonly cpu: number;
    readonly written: number;
    readonly epoch: number;
  }[];
  readonly dropped: Dropped;
}

/** The state shown for a module that was unloaded. */
export const MODULE_GONE: ModuleState = {
  enabled: false,
  registered: false,
  parked: false,
  seal: "none",
  generation: 0,
  phase: "gone",
  cpus: [],
  dropped: NONE_DROPPED,
};

/**
 * Reads the module's state.
 *
 * @throws {MemoryError} when the guest's memory can no longer be read.
 *
 * @example
 * ```ts ignore
 * import { open } from "xftrace/live";
 * import { moduleState, SealedTracer } from "xftrace/seal";
 *
 * await using guest = await open("qemu:web1");
 * const tracer = SealedTracer.find(guest.session);
 * if (tracer !== undefined) console.log(moduleState(tracer.page));
 * ```
 */
export function moduleState(page: ControlPage): ModuleState {
  const number = page.u32(CONTROL.seal);
  const names = Object.keys(SEAL_NUMBER) as SealName[];
  const phase = page.u32(CONTROL.phase);
  const sum = (offset: number) =>
    page.cpus.reduce((total, area) => total + page.cpuNumber(area, offset), 0);
  return {
    enabled: page.u32(CONTROL.enabled) !== 0,
    registered: page.u32(CONTROL.registered) !== 0,
    parked: page.u32(CONTROL.parked) !== 0,
    seal: names.find((name) => SEAL_NUMBER[name] === number) ?? "none",
    generation: page.number(CONTROL.generation),
    phase: Object.entries(PHASE).find(([, n]) => n === phase)?.[0] ??
      String(phase),
    cpus: page.cpus.map((area) => ({
      cpu: area.cpu,
      written: page.cpuNumber(area, CPU.head),
      epoch: page.cpuNumber(area, CPU.ack_epoch),
    })),
    dropped: {
      nmi: sum(CPU.dropped_nmi),
      unkeyed: sum(CPU.dropped_unkeyed),
      nested: sum(CPU.dropped_nested),
    },
  };
}
