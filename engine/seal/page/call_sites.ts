/**
 * Checks that the kernel still calls Ftrace at the start of the root functions:
 * the instruction there is a call while the function is being traced, and a
 * no-op otherwise. An intruder who empties the filter, or clears
 * `ftrace_enabled`, leaves the module registered but never called.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { CONTROL, PHASE } from "./abi.ts";
import type { ControlPage } from "./control_page.ts";
import type { PresenceFinding } from "./presence.ts";

/** The call sites of functions in the kernel image. */
export class RootCallSites {
  readonly #page: ControlPage;
  readonly #functions: readonly bigint[];
  /** The sites that were calls when the filter was first seen in place. */
  #sites: readonly bigint[] | undefined;

  /**
   * @param functions GVAs by which Ftrace knows the functions, which have just
   * been configured; sites that are not calls now are ignored, and so are
   * functions of modules, which can be unloaded.
   */
  constructor(page: ControlPage, functions: readonly bigint[]) {
    this.#page = page;
    const { kernel } = page;
    const { modules } = kernel.live;
    this.#functions = functions.filter((ip) =>
      !modules.some(({ ranges }) =>
        ranges.some(({ start, end }) => ip >= start && ip < end)
      )
    );
    this.#remember();
  }

  /**
   * Waits while the module has removed its filter because it has been switched
   * off for long.
   */
  #remember(): void {
    if (this.#sites !== undefined || !this.#inPlace()) return;
    const { kernel } = this.#page;
    const sites = this.#functions.filter((ip) => !isNop(kernel, ip));
    if (this.#inPlace()) this.#sites = sites;
  }

  /**
   * The sites that are no longer calls although the module says they should be.
   */
  check(): PresenceFinding[] {
    const { kernel } = this.#page;
    // The module states this before it removes its filter, and until the filter
    // is back.
    this.#remember();
    if (this.#sites === undefined || !this.#recording()) return [];
    const silent = this.#sites.filter((ip) => isNop(kernel, ip));
    if (silent.length === 0 || !this.#recording()) return [];
    const name = kernel.symbols.lookup(silent[0])?.name ??
      hex(silent[0]);
    return [{
      problem: "not called",
      detail: `the kernel no longer calls Ftrace in ${name}${
        silent.length > 1 ? ` and ${silent.length - 1} more` : ""
      }: its filter was changed, or Ftrace was turned off`,
    }];
  }

  #inPlace(): boolean {
    const page = this.#page;
    return page.u32(CONTROL.registered) === 1 &&
      page.u32(CONTROL.parked) === 0 &&
      page.u32(CONTROL.phase) === PHASE.idle;
  }

  #recording(): boolean {
    return this.#page.u32(CONTROL.enabled) === 1 && this.#inPlace();
  }
}

/** Whether what Ftrace writes over an unused call is there. */
function isNop({ arch, space }: Kernel, ip: bigint): boolean {
  const { nops, size } = arch.ftraceSites;
  try {
    const bytes = space.bytes(ip, size);
    return nops.some((nop) => nop.every((byte, i) => bytes[i] === byte));
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return false;
  }
}
