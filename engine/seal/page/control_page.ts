/**
 * The module's control page: found through the kernel's own module list, and
 * checked, so that a planted or copied page is not mistaken for it.
 *
 * @module
 */
import { allocateBytes, allocateWords } from "../../base/allocate.ts";
import { GuestGoneError, KernelError, MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { KernelModule } from "../../kernel/symbols/modules.ts";
import { ABI_VERSION, CONTROL, CPU, ENTRY, PAGE_MAGIC } from "./abi.ts";

/** Name of the module. */
export const MODULE_NAME = "xftrace";

/** Maximum number of CPUs; NR_CPUS is not larger. */
const MOST_CPUS = 8192;
/** Maximum size of all rings together in bytes; each is mapped page by page. */
const MOST_RING_BYTES = 2 ** 32;
/** Limits of the mail area in bytes; the module's has 256 KiB. */
const LEAST_MAIL_BYTES = 4096;
const MOST_MAIL_BYTES = 1 << 20;
/** Maximum size of the module's code in bytes. */
const MOST_TEXT_BYTES = 1 << 24;
/** Maximum number of places of the magic number that are looked at. */
const MOST_PLACES = 4096;
/** The part of a page that says whose it is. */
const HEAD_BYTES = Math.max(
  CONTROL.nonce + 16,
  CONTROL.self + 8,
  CONTROL.control_bytes + 4,
);

/** The state that one CPU shares with the host. */
export interface CpuArea {
  readonly cpu: number;
  /** GPA of its `struct xft_cpu`. */
  readonly gpa: number;
  /** GVA of its ring. */
  readonly ring: bigint;
  /** Number of entries in the ring, a power of two. */
  readonly entries: number;
  /** GPA of each of the ring's pages. */
  readonly pages: Float64Array;
}

/** Another page that looks like the control page. */
export interface ForeignPage {
  readonly gpa: number;
  /** Whether it has this module's random number, and so is a copy. */
  readonly own: boolean;
  /** Whether the address that it gives as its own leads to it. */
  readonly mapped: boolean;
}

/** A control page that passed all checks. */
export class ControlPage {
  readonly kernel: Kernel;
  readonly module: KernelModule;
  /** GVA of the page. */
  readonly gva: bigint;
  /** GPA of the page. */
  readonly gpa: number;
  /** Random number of this load of the module: 16 bytes as four words. */
  readonly nonce: Int32Array;
  readonly cpus: readonly CpuArea[];
  readonly mailGva: bigint;
  readonly mailBytes: number;
  readonly #word = new DataView(new ArrayBuffer(8));
  readonly #bytes = new Uint8Array(this.#word.buffer);
  readonly #half = this.#bytes.subarray(0, 4);

  private constructor(kernel: Kernel, module: KernelModule, gva: bigint) {
    this.kernel = kernel;
    this.module = module;
    this.gva = gva;
    this.gpa = kernel.space.translate(gva).gpa;
    const bad = (what: string) =>
      new KernelError(
        `the guest's module ${MODULE_NAME} shows a control page that is not its own: ${what}`,
      );
    if (this.gpa % kernel.pageSize !== 0) {
      throw bad("it is not aligned to a page");
    }
    if (this.u64(CONTROL.self) !== gva) {
      throw bad(
        `it says that it lies at 0x${this.u64(CONTROL.self).toString(16)}`,
      );
    }
    const version = this.u32(CONTROL.abi_version);
    if (
      version !== ABI_VERSION ||
      this.u32(CONTROL.control_bytes) !== CONTROL.bytes ||
      this.u32(CONTROL.cpu_bytes) !== CPU.bytes ||
      this.u32(CONTROL.entry_bytes) !== ENTRY.bytes
    ) {
      throw new KernelError(
        `the guest's module ${MODULE_NAME} speaks version ${version} and we speak ${ABI_VERSION}; build and load it again: xftrace guest build`,
      );
    }
    if (module.text.end - module.text.start > MOST_TEXT_BYTES) {
      throw bad("its module's code is larger than that of any module");
    }
    for (
      const handler of [CONTROL.entry_handler, CONTROL.return_handler] as const
    ) {
      const at = this.u64(handler);
      if (at < module.text.start || at >= module.text.end) {
        throw bad(`a handler lies outside of the module's code`);
      }
    }
    const nonce = new Uint8Array(16);
    kernel.memory.read(this.gpa + CONTROL.nonce, nonce);
    this.nonce = new Int32Array(nonce.buffer);
    this.mailGva = this.u64(CONTROL.mail);
    this.mailBytes = this.u32(CONTROL.mail_bytes);
    if (
      this.mailBytes < LEAST_MAIL_BYTES || this.mailBytes > MOST_MAIL_BYTES
    ) throw bad(`it claims a mail area of ${this.mailBytes} bytes`);
    this.cpus = this.#areas(bad);
  }

  #areas(bad: (what: string) => Error): CpuArea[] {
    const { space } = this.kernel;
    const base = this.u64(CONTROL.cpus);
    const count = this.u32(CONTROL.cpu_count);
    if (count < 1 || count > MOST_CPUS) throw bad(`it claims ${count} CPUs`);
    // No area may cross a page, and no ring may begin in one.
    if (base % BigInt(CPU.bytes) !== 0n) throw bad("its CPUs are not aligned");
    const areas: CpuArea[] = [];
    let bytes = 0;
    for (let cpu = 0; cpu < count; cpu++) {
      const gva = base + BigInt(cpu * CPU.bytes);
      const ring = space.u64(gva + BigInt(CPU.ring));
      const entries = Number(space.u64(gva + BigInt(CPU.ring_entries)));
      // CPUs that can never come up have no ring.
      if (ring === 0n) continue;
      if (entries < 64 || entries > 2 ** 26 || (entries & (entries - 1))) {
        throw bad(`CPU ${cpu} claims a ring of ${entries} entries`);
      }
      bytes += entries * ENTRY.bytes;
      if (bytes > MOST_RING_BYTES) {
        throw bad(`its rings have more than ${MOST_RING_BYTES} bytes`);
      }
      if (ring % BigInt(this.kernel.pageSize) !== 0n) {
        throw bad(`the ring of CPU ${cpu} is not aligned to a page`);
      }
      areas.push({
        cpu,
        gpa: space.translate(gva).gpa,
        ring,
        entries,
        pages: ringPages(this.kernel, ring, entries),
      });
    }
    return areas;
  }

  /**
   * Finds the page of a loaded module; `undefined` when the module is not
   * loaded.
   *
   * @throws {KernelError} when a module of that name exists, but its page fails
   * a check or has another version.
   */
  static find(kernel: Kernel): ControlPage | undefined {
    kernel.live.refresh();
    const module = kernel.live.modules.find((m) => m.name === MODULE_NAME);
    if (module === undefined) return undefined;
    // The symbol table gives the address; it is trusted only if the page's own
    // words are right and it lies within the module's memory.
    const { table, addresses } = module.symbols;
    let gva: bigint | undefined;
    for (let i = 0; i < table.count; i++) {
      if (
        module.symbols.lookup(addresses[i])?.name === "xft_control" &&
        module.ranges.some((r) =>
          addresses[i] >= r.start && addresses[i] < r.end
        )
      ) gva = addresses[i];
    }
    if (gva === undefined) return undefined;
    // The module is still loading, or already unloading.
    if (kernel.space.u64(gva) !== PAGE_MAGIC) return undefined;
    return new ControlPage(kernel, module, gva);
  }

  /**
   * Whether the module is still loaded, and its kernel still the guest's. If
   * not, nothing may be written, since its memory may belong to something else.
   */
  get alive(): boolean {
    try {
      return this.u64(CONTROL.magic) === PAGE_MAGIC &&
        this.u64(CONTROL.self) === this.gva &&
        this.kernel.origin?.life() !== "other";
    } catch (error) {
      // The memory disappeared with the guest.
      if (error instanceof GuestGoneError) return false;
      throw error;
    }
  }

  /** The u32 at an offset in the page. */
  u32(offset: number): number {
    this.kernel.memory.read(this.gpa + offset, this.#half);
    return this.#word.getUint32(0, true);
  }

  /** The u64 at an offset in the page. */
  u64(offset: number): bigint {
    this.kernel.memory.read(this.gpa + offset, this.#bytes);
    return this.#word.getBigUint64(0, true);
  }

  /** The u64 at an offset in the page, as a Number. */
  number(offset: number): number {
    return Number(this.u64(offset));
  }

  /** The u64 at an offset in a CPU's area, as a Number. */
  cpuNumber(area: CpuArea, offset: number): number {
    this.kernel.memory.read(area.gpa + offset, this.#bytes);
    return this.#word.getUint32(0, true) +
      this.#word.getUint32(4, true) * 0x1_0000_0000;
  }

  /** The text at an offset in the page, up to a NUL. */
  text(offset: number, length: number): string {
    const bytes = allocateBytes(length, CONTROL.bytes, "a text of the module");
    this.kernel.memory.read(this.gpa + offset, bytes);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Writes a u32 at an offset in the page. */
  setU32(offset: number, value: number): void {
    this.#word.setUint32(0, value, true);
    this.kernel.memory.write(this.gpa + offset, this.#half);
  }

  /** Writes a u64 at an offset in the page atomically. */
  setU64(offset: number, value: bigint): void {
    storeU64(this.kernel, this.gpa + offset, value);
  }

  /**
   * Other pages that look like a control page, and whether there may be more of
   * them.
   */
  foreignPages(): { readonly pages: ForeignPage[]; readonly more: boolean } {
    const needle = new Uint8Array(8);
    new DataView(needle.buffer).setBigUint64(0, PAGE_MAGIC, true);
    const places = this.kernel.memory.search(needle, MOST_PLACES);
    const pages: ForeignPage[] = [];
    for (const gpa of places) {
      if (gpa % this.kernel.pageSize !== 0 || gpa === this.gpa) continue;
      const page = this.#foreignPage(gpa);
      if (page !== undefined) pages.push(page);
    }
    return { pages, more: places.length >= MOST_PLACES };
  }

  #foreignPage(gpa: number): ForeignPage | undefined {
    const { memory, space } = this.kernel;
    const bytes = new Uint8Array(HEAD_BYTES);
    try {
      memory.read(gpa, bytes);
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
      return undefined;
    }
    const view = new DataView(bytes.buffer);
    if (view.getUint32(CONTROL.control_bytes, true) !== CONTROL.bytes) {
      return undefined;
    }
    const own = this.nonce.every((word, i) =>
      view.getInt32(CONTROL.nonce + i * 4, true) === word
    );
    let mapped = true;
    try {
      const self = view.getBigUint64(CONTROL.self, true);
      mapped = space.tryTranslate(self)?.gpa === gpa;
    } catch (error) {
      // Nobody tells, so it may be.
      if (!(error instanceof MemoryError)) throw error;
    }
    return { gpa, own, mapped };
  }
}

/** Stores a u64 atomically, whatever was there before. */
export function storeU64(kernel: Kernel, gpa: number, value: bigint): void {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  for (let tries = 0; tries < 1000; tries++) {
    kernel.memory.read(gpa, bytes);
    const before = view.getBigUint64(0, true);
    if (kernel.memory.compareExchange(gpa, 8, before, value) === before) return;
  }
  throw new KernelError(
    `the guest changes the word at GPA ${hex(gpa)} all the time`,
  );
}

/** Current GPAs of a ring's pages. */
export function ringPages(
  kernel: Kernel,
  ring: bigint,
  entries: number,
): Float64Array {
  // Where pages are large, a ring may be smaller than one.
  const count = Math.ceil(entries * ENTRY.bytes / kernel.pageSize);
  const pages = allocateWords(
    Float64Array,
    count,
    Math.ceil(MOST_RING_BYTES / kernel.pageSize),
    ring,
  );
  for (let i = 0; i < pages.length; i++) {
    pages[i] = kernel.space.translate(ring + BigInt(i * kernel.pageSize)).gpa;
  }
  return pages;
}
