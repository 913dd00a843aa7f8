/**
 * Names of traced threads, from the kernel's saved_cmdlines
 * (kernel/trace/trace_sched_switch.c; before 6.10 in trace.c).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";

const NO_CMDLINE_MAP = 0xffff_ffff;
const TASK_COMM_LEN = 16;
const MAX_SAVED = 1 << 20;

/**
 * A copy of the kernel's map from pid to comm at one moment.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { SavedCmdlines } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const saved = SavedCmdlines.read(guest.session.kernel);
 * for (const [pid, comm] of saved.entries()) console.log(pid, comm);
 * ```
 */
export class SavedCmdlines {
  readonly #mask: number;
  readonly #pidToLine: Uint32Array;
  readonly #lineToPid: Uint32Array;
  readonly #comms: Uint8Array;
  readonly #known = new Map<number, string>();

  private constructor(
    pidToLine: Uint32Array,
    lineToPid: Uint32Array,
    comms: Uint8Array,
  ) {
    // The table has PID_MAX_DEFAULT + 1 slots; pids are folded by the mask.
    this.#mask = pidToLine.length - 2;
    this.#pidToLine = pidToLine;
    this.#lineToPid = lineToPid;
    this.#comms = comms;
  }

  /**
   * Reads the map. A kernel that has never traced has no map; all threads are
   * then unknown.
   *
   * @throws {KernelError} when the kernel keeps it in a place that is not known.
   * @throws {MemoryError} when it cannot be read.
   */
  static read(kernel: Kernel): SavedCmdlines {
    const empty = new SavedCmdlines(
      new Uint32Array(2).fill(NO_CMDLINE_MAP),
      new Uint32Array(0),
      new Uint8Array(0),
    );
    const at = kernel.symbols.tryAddress("savedcmd");
    if (at === undefined) {
      throw new KernelError(
        "this kernel keeps the names of tasks where xftrace does not know: it " +
          "has no symbol savedcmd",
      );
    }
    const gva = kernel.space.u64(at);
    if (gva === 0n) return empty;
    const { space } = kernel;
    const saved = kernel.object("saved_cmdlines_buffer", gva);
    const count = saved.number("cmdline_num");
    const slots = saved.member("map_pid_to_cmdline").size / 4;
    if (count > MAX_SAVED || slots < 2) return empty;
    // In older kernels a pointer to an array, later an array at the end of the
    // struct.
    const inline = saved.member("saved_cmdlines").size === 0;
    const text = inline
      ? saved.at("saved_cmdlines")
      : saved.u64("saved_cmdlines");
    return new SavedCmdlines(
      words(space.bytes(saved.at("map_pid_to_cmdline"), slots * 4)),
      words(space.bytes(saved.u64("map_cmdline_to_pid"), count * 4)),
      space.bytes(text, count * TASK_COMM_LEN),
    );
  }

  /**
   * The comm of a thread as shown in the kernel's trace files: `<idle>` for 0,
   * `<XXX>` for a negative pid, `<...>` for an unknown one.
   */
  comm(pid: number): string {
    let comm = this.#known.get(pid);
    if (comm === undefined) {
      comm = this.#look(pid) ?? "<...>";
      this.#known.set(pid, comm);
    }
    return comm;
  }

  /** Like {@linkcode comm}, but `undefined` for an unknown thread. */
  tryComm(pid: number): string | undefined {
    return this.#look(pid);
  }

  #look(pid: number): string | undefined {
    if (pid === 0) return "<idle>";
    if (pid < 0) return "<XXX>";
    const line = this.#pidToLine[pid & this.#mask];
    if (line === NO_CMDLINE_MAP || line >= this.#lineToPid.length) {
      return undefined;
    }
    if (this.#lineToPid[line] !== pid) return undefined;
    const start = line * TASK_COMM_LEN;
    const bytes = this.#comms.subarray(start, start + TASK_COMM_LEN);
    const nul = bytes.indexOf(0);
    return new TextDecoder("latin1").decode(
      bytes.subarray(0, nul < 0 ? TASK_COMM_LEN - 1 : nul),
    );
  }

  /** All threads in the map, with their comms. */
  *entries(): Generator<[pid: number, comm: string]> {
    for (const pid of this.#lineToPid) {
      if (pid === 0 || pid === NO_CMDLINE_MAP) continue;
      const comm = this.#look(pid);
      if (comm !== undefined && comm !== "") yield [pid, comm];
    }
  }
}

function words(bytes: Uint8Array<ArrayBuffer>): Uint32Array {
  return new Uint32Array(bytes.buffer, 0, bytes.length / 4);
}
