/**
 * The recorded guests of `testdata/` as memory that tests can change.
 *
 * @module
 */
import { openCore } from "../../memory/dump/open_core.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { Kernel } from "../core/kernel.ts";
import { describeKernel, type DescribeOptions } from "./describe.ts";

/** The kernels that were recorded. */
export const RECORDED = ["6.1", "6.12"] as const;

/** A recorded guest, copied to memory of its own. */
export interface RecordedGuest {
  readonly memory: BufferMemory;
  /** The text of its vmcoreinfo note. */
  readonly note: string;
  /** Describes the kernel in it as if it had just been opened. */
  describe(options?: DescribeOptions): Kernel;
}

/**
 * Copies a recorded guest.
 *
 * @param live the value of the memory's `live`
 */
export function recordedGuest(
  kernel: typeof RECORDED[number],
  { live = false } = {},
): RecordedGuest {
  const url = new URL(
    `../../../testdata/guest-${kernel}.core.zst`,
    import.meta.url,
  );
  using core = openCore(url.pathname);
  const pieces = core.dataRanges().map(({ start, end }) => {
    const bytes = new Uint8Array(end - start);
    core.read(start, bytes);
    return { gpa: start, bytes };
  });
  const memory = new BufferMemory(pieces, { live });
  const note = core.vmcoreinfo ?? "";
  return {
    memory,
    note,
    describe: (options = {}) =>
      describeKernel(memory, { vmcoreinfo: note, ...options }),
  };
}

/** Writes bytes at a GVA. */
export function patch(
  { memory, space }: Pick<Kernel, "memory" | "space">,
  gva: bigint,
  bytes: Uint8Array,
): void {
  memory.write(space.translate(gva).gpa, bytes);
}
