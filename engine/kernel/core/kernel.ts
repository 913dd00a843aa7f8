/**
 * A guest kernel: its memory, symbols and types, and access to its objects by
 * name.
 *
 * @module
 */
import type { Arch } from "../../arch/arch.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import type { KallsymsTables } from "../symbols/kallsyms.ts";
import type { LiveSymbols } from "../symbols/live_symbols.ts";
import { KernelObject } from "./object.ts";
import { variable } from "../symbols/required.ts";
import type { Symbols } from "../symbols/symbols.ts";
import type { Types } from "../btf/types.ts";

/** What was found out while the kernel was located. */
export interface KernelFacts {
  /** As printed by `uname -r`. */
  readonly release: string;
  /** `linux_banner`, without its newline. */
  readonly banner: string;
  /** BUILD-ID in hex, if the kernel states it. */
  readonly buildId: string | undefined;
  /** The kaslr offset of the kernel image, in bytes. */
  readonly kaslrOffset: bigint;
  /**
   * The offset between GVAs of the image and their GPAs, in bytes, as the
   * kernels of its architecture define it (`phys_base`).
   */
  readonly physBase: number;
  /** How it was found: `vmcoreinfo`, `kallsyms scan`. */
  readonly locatedBy: string;
  /** The text of the vmcoreinfo note, if there is one. */
  readonly vmcoreinfo: string | undefined;
  /** Source of the symbols: `guest memory`, `cache`, or a file. */
  readonly describedBy: string;
}

/** Something in memory that describes itself as a running kernel. */
export interface KernelCandidate {
  /** GPA of its vmcoreinfo note, or of its symbols' token table. */
  readonly gpa: number;
  /** How many pages hold the very same note; 1 for symbols. */
  readonly copies: number;
  /** As printed by `uname -r`; `undefined` when only symbols were found. */
  readonly release: string | undefined;
  readonly buildId: string | undefined;
  /** Whether it is the kernel that is read. */
  readonly taken: boolean;
  /** Why it was taken or not: part of a sentence. */
  readonly why: string;
}

/**
 * Whether a kernel still runs. `runs`: its clock advances. `still`: its clock
 * stands still, so the guest is idle, paused, stuck, or about to start another
 * kernel; nothing should be read from it or written to it until that is known.
 * `other`: the guest runs another kernel, or this one was started anew.
 */
export type Life = "runs" | "still" | "other";

/**
 * How long the processors of a guest have run on the host's, and have waited for
 * one of them, in ms since any time.
 */
export interface HostTimes {
  cpuMs(): number;
  /** 0 when it is not known. */
  waitMs(): number;
}

/** What a kernel's description was made from, to be read again. */
export interface KernelOrigin {
  /**
   * Everything in memory that described itself as a kernel when this one was
   * opened, this one included. In a recording that names its kernel's note,
   * only that one.
   */
  readonly candidates: readonly KernelCandidate[];
  /**
   * What is no longer as it was when the kernel was described, in a few words:
   * then memory holds another kernel. `undefined`: nothing. Takes some 5 ms.
   */
  changed(): string | undefined;
  /**
   * Identifies this boot of the guest: another boot of the same kernel at the
   * same address has another one. A guest that wants to can change it.
   */
  readonly boot: string;
  /**
   * Whether the kernel still runs, to be asked before each reading of a guest
   * that is followed; always `runs` for a recording. Takes microseconds.
   *
   * @throws {GuestGoneError} when the guest has ended.
   */
  life(): Life;
  /**
   * Gives what measures how far a guest gets that a busy host hardly lets run;
   * without it, a guest whose clock stands still is judged by the host's clock.
   */
  measure(times: HostTimes): void;
  /**
   * For how long its clock has not been seen to advance, in ms, since it was
   * opened at most; 0 for a recording, and for a kernel that names no clock.
   *
   * @throws {GuestGoneError} when the guest has ended.
   */
  stillMs(): number;
  /**
   * The kallsyms tables as they lie in the guest now.
   *
   * @throws {KernelError | MemoryError} when they cannot be read.
   */
  tables(): KallsymsTables;
  /**
   * The kernel's own list of its symbols' indices in the order of their names
   * (kallsyms_seqs_of_names); `undefined` when it has none, or its place is not
   * known.
   *
   * @throws {KernelError | MemoryError} when it cannot be read.
   */
  order(): Uint32Array | undefined;
}

/**
 * A guest kernel whose memory can be read by symbol and member names.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import type { Kernel } from "xftrace/kernel";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const kernel: Kernel = guest.session.kernel;
 * const init = kernel.global("init_task", "task_struct");
 * console.log(init.number("pid"), init.chars("comm"), kernel.types.count);
 * ```
 */
export class Kernel {
  readonly arch: Arch;
  readonly memory: PhysicalMemory;
  readonly space: AddressSpace;
  readonly symbols: Symbols;
  readonly types: Types;
  /**
   * Symbols of modules and BPF programs; call its `refresh` to see new ones.
   */
  readonly live: LiveSymbols;
  readonly facts: KernelFacts;
  /** What it was described from; `undefined` for a kernel made by a test. */
  readonly origin: KernelOrigin | undefined;
  #perCpuOffsets: bigint[] | undefined;

  constructor(
    arch: Arch,
    space: AddressSpace,
    symbols: Symbols,
    types: Types,
    live: LiveSymbols,
    facts: KernelFacts,
    origin?: KernelOrigin,
  ) {
    this.arch = arch;
    this.memory = space.memory;
    this.space = space;
    this.symbols = symbols;
    this.types = types;
    this.live = live;
    this.facts = facts;
    this.origin = origin;
  }

  /** The kernel's `PAGE_SIZE`, in bytes. */
  get pageSize(): number {
    return this.space.pageSize;
  }

  /**
   * The region into which modules are loaded, together with most code that the
   * kernel generates.
   */
  get moduleRegion(): GvaRange {
    return this.arch.image.modules(this.symbols);
  }

  /** The object of type `struct NAME` at a GVA. */
  object(struct: string, gva: bigint): KernelObject {
    return new KernelObject(this, struct, gva);
  }

  /**
   * The global variable `symbol`, as `struct NAME`.
   *
   * @throws {KernelError} when there is no such symbol.
   */
  global(symbol: string, struct: string): KernelObject {
    return new KernelObject(this, struct, this.symbols.address(symbol));
  }

  /**
   * The number of CPU ids in the guest's kernel (`nr_cpu_ids`), limited to the
   * CPUs that could ever come up.
   */
  get cpuIds(): number {
    const at = this.symbols.tryAddress("nr_cpu_ids");
    // Kernels built with FORCE_NR_CPUS have a constant in its place.
    const count = at === undefined ? undefined : this.space.u32(at);
    return count === undefined || count === 0 || count > 8192
      ? this.perCpuOffsets.length
      : count;
  }

  /** The CPUs set in a `struct cpumask` symbol such as `__cpu_online_mask`. */
  cpuMask(symbol: string): number[] {
    const at = this.symbols.address(symbol);
    const cpus: number[] = [];
    for (let word = 0; word * 64 < this.cpuIds; word++) {
      const bits = this.space.u64(at + BigInt(word * 8));
      for (let bit = 0; bit < 64; bit++) {
        if ((bits >> BigInt(bit)) & 1n) cpus.push(word * 64 + bit);
      }
    }
    return cpus;
  }

  /**
   * Every CPU that has a per-CPU area, whether it is online or not: the mask of
   * those that are online is one word of the guest's.
   *
   * @throws {KernelError} when the guest's words on its CPUs disagree.
   */
  get cpus(): number[] {
    const count = this.perCpuOffsets.length;
    const cpus = this.perCpuOffsets.map((_, cpu) => cpu);
    const possible = variable(this.symbols, "__cpu_possible_mask", [
      "__cpu_online_mask",
    ]);
    const counts = [
      ["nr_cpu_ids", this.cpuIds],
      [
        "__cpu_possible_mask",
        possible === undefined ? count : this.cpuMask("__cpu_possible_mask")
          .filter((cpu, i) => cpu === i).length,
      ],
    ] as const;
    for (const [name, other] of counts) {
      if (other === count) continue;
      throw new KernelError(
        `the kernel has per-CPU areas for ${count} CPUs, but ${name} says ${other}: one of them was changed`,
      );
    }
    return cpus;
  }

  /** `__per_cpu_offset[]`, up to the first CPU that never existed. */
  get perCpuOffsets(): readonly bigint[] {
    if (this.#perCpuOffsets !== undefined) return this.#perCpuOffsets;
    const at = this.symbols.address("__per_cpu_offset");
    const start = this.symbols.tryAddress("__per_cpu_load") ?? 0n;
    const offsets: bigint[] = [];
    for (let cpu = 0; cpu < 8192; cpu++) {
      const offset = this.space.u64(at + BigInt(cpu * 8));
      // Entries of CPUs that cannot come up keep their link-time value.
      if (offset === 0n || offset === start) break;
      offsets.push(offset);
    }
    if (offsets.length === 0) {
      throw new KernelError(
        "the guest's per-CPU areas are not set up yet: it is still booting",
      );
    }
    this.#ownOffsets(offsets);
    this.#perCpuOffsets = offsets;
    return offsets;
  }

  /**
   * Each CPU's area holds its own offset (`this_cpu_off`), by which the CPU
   * itself finds its variables: the table must say the same, or another CPU's
   * area, or a copy, would be read in its place.
   *
   * @throws {KernelError} when it does not.
   */
  #ownOffsets(offsets: readonly bigint[]): void {
    const own = this.symbols.tryAddress("this_cpu_off");
    if (own === undefined) return;
    for (const [cpu, offset] of offsets.entries()) {
      const at = BigInt.asUintN(64, own + offset);
      const twice = offsets.indexOf(offset) !== cpu;
      if (!twice && this.#holds(at, offset)) continue;
      throw new KernelError(
        `__per_cpu_offset[${cpu}] is not what CPU ${cpu} itself uses: one of them was changed`,
      );
    }
  }

  #holds(gva: bigint, word: bigint): boolean {
    try {
      return this.space.u64(gva) === word;
    } catch (error) {
      // A recording may lack the page.
      if (error instanceof MemoryError && !this.memory.live) return true;
      throw error;
    }
  }

  /** GVA of a per-CPU variable's instance for one CPU. */
  perCpu(symbol: string, cpu: number): bigint {
    const offset = this.perCpuOffsets[cpu];
    if (offset === undefined) {
      throw new KernelError(`the guest has no CPU ${cpu}`);
    }
    return BigInt.asUintN(64, this.symbols.address(symbol) + offset);
  }
}
