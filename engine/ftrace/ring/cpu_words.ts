/**
 * The words of a CPU's ring buffer that a follower reads all the time.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import type { CpuBuffer } from "./ring_buffer.ts";

/** Members of `ring_buffer_per_cpu` that are polled. */
type Polled =
  | "entries"
  | "overrun"
  | "read"
  | "committing"
  | "dropped_events"
  | "commit_overrun"
  | "nr_pages"
  | "nr_pages_to_update"
  | "pages_removed"
  | "pages_touched"
  | "commit_page"
  | "tail_page"
  | "record_disabled"
  | "resize_disabled";

/** Members that known kernels may lack; they then never change. */
const OPTIONAL: ReadonlySet<Polled> = new Set<Polled>([
  // 2d093282b0d4, "ring-buffer: Fix wrong stat of cpu_buffer->read" (6.5).
  "pages_removed",
  // 2c2b0a78b373, "ring-buffer: Add percentage of ring buffer full" (5.0).
  "pages_touched",
  // 07b8b10ec94f, "ring-buffer: Make resize disable per cpu buffer" (5.9).
  "resize_disabled",
]);

/**
 * Fast access to a CPU buffer's members: the low 53 bits of counters, the low
 * half of pointers.
 */
export class CpuWords {
  readonly #memory: PhysicalMemory;
  readonly #gpa: number;
  readonly #view: Uint32Array | undefined;
  readonly #word = new Uint8Array(8);
  readonly #words = new Uint32Array(this.#word.buffer);
  readonly #offsets: Record<Polled, number>;

  /** @throws {KernelError} when the guest's pointer to it is damaged. */
  constructor(buffer: CpuBuffer) {
    const { kernel, object } = buffer;
    const struct = "ring_buffer_per_cpu";
    this.#memory = kernel.memory;
    const { size } = kernel.types.struct(struct);
    // An object in the direct map is contiguous in physical memory.
    this.#gpa = kernel.space.translate(object.gva).gpa;
    if (this.#gpa % 8 !== 0) {
      throw new KernelError(
        `the buffer of CPU ${buffer.cpu} at GPA ${
          hex(this.#gpa)
        } is not aligned: the guest's ring buffers are damaged`,
      );
    }
    const view = kernel.memory.view(this.#gpa, size);
    this.#view = view === undefined || view.byteOffset % 4 !== 0
      ? undefined
      : new Uint32Array(view.buffer, view.byteOffset, size >>> 2);
    const at = (name: Polled) =>
      OPTIONAL.has(name)
        ? kernel.types.tryOffset(struct, name) ?? -1
        : kernel.types.offset(struct, name);
    this.#offsets = {
      entries: at("entries"),
      overrun: at("overrun"),
      read: at("read"),
      committing: at("committing"),
      dropped_events: at("dropped_events"),
      commit_overrun: at("commit_overrun"),
      nr_pages: at("nr_pages"),
      nr_pages_to_update: at("nr_pages_to_update"),
      pages_removed: at("pages_removed"),
      pages_touched: at("pages_touched"),
      commit_page: at("commit_page"),
      tail_page: at("tail_page"),
      record_disabled: at("record_disabled"),
      resize_disabled: at("resize_disabled"),
    };
  }

  /** Whether the kernel has the member. */
  has(name: Polled): boolean {
    return this.#offsets[name] >= 0;
  }

  /** A counter's low 53 bits, or a pointer's low half without its flags. */
  load(name: Polled): number {
    const offset = this.#offsets[name];
    // Members that the kernel lacks never change.
    if (offset < 0) return 0;
    let words = this.#view;
    let at = offset >>> 2;
    if (words === undefined) {
      this.#memory.read(this.#gpa + offset, this.#word);
      words = this.#words;
      at = 0;
    }
    switch (name) {
      case "commit_page":
      case "tail_page":
        return (words[at] & ~3) >>> 0;
      // An atomic_t is one word.
      case "record_disabled":
      case "resize_disabled":
        return words[at];
      // A long: negative when pages are to go.
      case "nr_pages_to_update":
        return (words[at + 1] | 0) * 0x1_0000_0000 + words[at];
    }
    return words[at + 1] * 0x1_0000_0000 + words[at];
  }
}
