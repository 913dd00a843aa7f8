/**
 * Which of several kernels in memory is running.
 *
 * @module
 */
import { pause } from "../../base/pause.ts";
import { KernelError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { Kernel } from "../core/kernel.ts";
import type { Symbols } from "../symbols/symbols.ts";

/** How long the kernels' clocks are watched, in ms. */
const LIVENESS_MS = 100;
/**
 * How long they are watched at most if none advances, in ms: that of an idle
 * guest may stand still for seconds.
 */
const IDLE_MS = 8000;
/** Time between two looks then, in ms. */
const IDLE_LOOK_MS = 2;

/**
 * Selects the running kernel when several are intact in memory: an earlier
 * boot's may survive a reboot, but only the running one's clock advances.
 *
 * @param choose decides between several that seem to run
 * @throws {KernelError} when none runs, or several do and `choose` cannot tell:
 * then somebody has forged a description, and taking the wrong one would show
 * what the forger wants to be seen.
 */
export function pickRunning(
  kernels: readonly Kernel[],
  choose?: (kernels: readonly Kernel[]) => Kernel | undefined,
): Kernel {
  const running = advancing(kernels);
  if (running.length === 1) return running[0];
  const { name } = kernels[0].memory;
  if (running.length === 0) {
    throw new KernelError(
      `the memory holds ${kernels.length} kernels (${
        kernels.map(({ facts }) => facts.release).join(", ")
      }) and none of them is running: the guest has been restarted and is not up, or this is the memory of a stopped one`,
    );
  }
  const chosen = choose?.(running);
  if (chosen !== undefined) return chosen;
  throw new KernelError(
    `${name} holds ${running.length} descriptions of a running kernel, of which all but one are forged: ${
      running.map(described).join("; ")
    }`,
  );
}

function described({ facts, space }: Kernel): string {
  const { release, buildId = "none", kaslrOffset } = facts;
  return `${release} (BUILD-ID ${buildId}, kaslr offset 0x${
    kaslrOffset.toString(16)
  }, page tables at GPA 0x${space.tables.root.toString(16)})`;
}

/** The kernels whose clocks advance. */
function advancing(kernels: readonly Kernel[]): Kernel[] {
  const before = kernels.map(({ space, symbols }) => ticks(space, symbols));
  const running = new Set<Kernel>();
  const look = () =>
    kernels.forEach((kernel, i) => {
      const now = ticks(kernel.space, kernel.symbols);
      if (now !== before[i]) running.add(kernel);
    });
  const start = performance.now();
  const passed = () => performance.now() - start;
  while (passed() < LIVENESS_MS && running.size < kernels.length) look();
  while (
    running.size === 0 && kernels[0].memory.live && passed() < IDLE_MS
  ) {
    pause(IDLE_LOOK_MS);
    look();
  }
  return kernels.filter((kernel) => running.has(kernel));
}

/**
 * Whether a kernel's clock advances within some time. That of an idle guest may
 * stand still for longer.
 */
export function advances(
  space: AddressSpace,
  symbols: Symbols,
  ms: number,
): boolean {
  const before = ticks(space, symbols);
  const until = performance.now() + ms;
  while (performance.now() < until) {
    if (ticks(space, symbols) !== before) return true;
  }
  return false;
}

function ticks(space: AddressSpace, symbols: Symbols): bigint {
  const at = symbols.tryAddress("jiffies_64") ?? symbols.tryAddress("jiffies");
  return at === undefined ? 0n : space.u64(at);
}
