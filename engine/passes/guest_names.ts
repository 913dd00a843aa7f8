/**
 * Names of a guest's functions and threads, cached while a batch is being
 * processed.
 *
 * @module
 */
import { KernelError, MemoryError } from "../base/errors.ts";
import { SavedCmdlines } from "../ftrace/events/saved_cmdlines.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { ProcessTree } from "./processes.ts";
import type { GuestNames } from "./fields/stream_access.ts";

/** Names read from a guest's memory. */
export class KernelNames implements GuestNames {
  readonly #kernel: Kernel;
  readonly #processes: ProcessTree;
  readonly #func = new Map<number, string>();
  readonly #foreign = new Map<number, boolean>();
  readonly #comm = new Map<number, string>();
  readonly #last = new Map<number, string>();
  readonly #told = new Map<number, string>();
  #saved: SavedCmdlines | undefined;

  constructor(kernel: Kernel, processes: ProcessTree) {
    this.#kernel = kernel;
    this.#processes = processes;
  }

  func(lo: number, hi: number): string {
    const key = (hi & 0x1fffff) * 4294967296 + lo;
    let name = this.#func.get(key);
    if (name === undefined) {
      name = this.#syscall(lo, hi) ??
        this.short(this.#kernel.symbols.name(lo, hi));
      this.#func.set(key, name);
    }
    return name;
  }

  short(name: string): string {
    return this.#kernel.arch.syscalls.names.short(name);
  }

  /**
   * The name of a system call's entry function. A system call without arguments
   * has several (`__do_sys_getpid`), of which kallsyms reports the first.
   */
  #syscall(lo: number, hi: number): string | undefined {
    const { symbols } = this.#kernel;
    const address = BigInt(hi) << 32n | BigInt(lo);
    const found = symbols.lookup(address);
    if (found === undefined || !found.name.startsWith("__do_sys_")) {
      return undefined;
    }
    const short = found.name.slice("__do_".length);
    const entry = this.#kernel.arch.syscalls.names.entry(short);
    return symbols.addresses(entry).includes(found.address) ? short : undefined;
  }

  foreign(lo: number, hi: number): boolean {
    const key = (hi & 0x1fffff) * 4294967296 + lo;
    let is = this.#foreign.get(key);
    if (is === undefined) {
      const address = BigInt(hi) << 32n | BigInt(lo);
      is = this.#kernel.symbols.lookup(address) === undefined;
      this.#foreign.set(key, is);
    }
    return is;
  }

  /** Records the current name of a thread as reported by the guest's module. */
  told(pid: number, comm: string): void {
    this.#told.set(pid, comm);
    this.#comm.set(pid, comm);
  }

  comm(pid: number): string {
    let comm = this.#comm.get(pid);
    if (comm === undefined) {
      this.#saved ??= SavedCmdlines.read(this.#kernel);
      const found = this.#told.get(pid) ?? this.#saved.tryComm(pid) ??
        this.#tasks(pid);
      if (found !== undefined) this.#last.set(pid, found);
      // For a thread that has ended, the name when it was last seen.
      comm = found ?? this.#last.get(pid) ?? "<...>";
      this.#comm.set(pid, comm);
    }
    return comm;
  }

  /** The task list may contain what saved_cmdlines no longer contains. */
  #tasks(pid: number): string | undefined {
    try {
      return this.#processes.comm(pid);
    } catch (error) {
      if (error instanceof KernelError || error instanceof MemoryError) {
        return undefined;
      }
      throw error;
    }
  }

  /** Discards the threads' names, since they may have changed. */
  refresh(): void {
    this.#comm.clear();
    this.#saved = undefined;
    this.#foreign.clear();
  }
}
