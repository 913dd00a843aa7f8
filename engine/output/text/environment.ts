/**
 * What rendering asks of the guest besides an event's own bytes.
 *
 * @module
 */
import type { Arch } from "../../arch/arch.ts";
import type { EventFormat } from "../../ftrace/events/formats.ts";
import type { TraceLayout } from "../../ftrace/ring/meta.ts";

/** Names for addresses, each as one of the kernel's formats prints it. */
export interface TextSymbols {
  /** As `seq_print_ip_sym` prints it: the bare name, `0x%08lx` without. */
  bare(lo: number, hi: number): string;
  /** As `%ps`: name and ` [module]`, `0x%lx` without. */
  ps(lo: number, hi: number): string;
  /** As `%pS`: `name+0x1a/0x40 [module]`, `0x%lx` without. */
  pS(lo: number, hi: number): string;
  /** As `%pB`: `%pS` of the call before a return address. */
  pB(lo: number, hi: number): string;
}

/** The guest as the renderers see it. */
export interface TextEnvironment {
  readonly symbols: TextSymbols;
  /** The C string at a GVA, `undefined` where it cannot be read. */
  string(lo: number, hi: number): string | undefined;
  /** The value of an enumerator that a print_fmt still names. */
  enumerator?(name: string): number | undefined;
  /** The value of an 8-byte kernel variable that a print_fmt reads. */
  variable?(name: string): bigint | undefined;
  /**
   * The recorded arguments of a function as `print_function_args` writes them
   * between the parentheses (`fd=3, buf=0xffff...`), from its prototype;
   * `undefined` when that is not known.
   *
   * @param name the function's bare name
   * @param args the registers that hold arguments
   */
  functionArguments?(
    name: string,
    args: readonly bigint[],
  ): string | undefined;
  /** Bytes of `struct NAME`, for pointer arithmetic (`struct page *`). */
  structSize?(name: string): number | undefined;
  /** The kernel's `ptr_key`, for `%p`; without it `%p` shows its marker. */
  readonly pointerKey?: readonly [bigint, bigint];
  /** Whether `%p` is hashed (trace option `hash-ptr`); default true. */
  readonly hashPointers?: boolean;
  /** Whether `no_hash_pointers` was given at boot; default false. */
  readonly noHashPointers?: boolean;
  /**
   * Whether the kernel checks strings while it prints (it has the function
   * `trace_check_vprintf`: 5.13 to 6.12). With option `nohash-ptr` such a
   * kernel overwrites its own format string and prints nothing for an event's
   * first `%s` (seen on 6.1.192). Default false.
   */
  readonly checksStrings?: boolean;
  /** The kernel's `PAGE_SIZE`; default: the smallest that kernels have. */
  readonly pageSize?: number;
  /** Ticks a second (CONFIG_HZ), for `jiffies_to_msecs`. */
  readonly hz?: number;
  /**
   * Whether `__print_hex` puts a space between its chunks of 16 bytes
   * (6.12 does, 6.1 does not); default true.
   */
  readonly hexChunkSpace?: boolean;
}

/** What the header of a latency tracer's trace says. */
export interface LatencyInfo {
  /** `trace_array_cpu.saved_latency` in ns. */
  readonly latency: bigint;
  /** `array_buffer.cpu`: CPU that had the latency. */
  readonly cpu: number;
  /** `server`, `desktop`, `preempt`, `preempt_rt` or `unknown`. */
  readonly preemptModel: string;
  readonly comm: string;
  readonly pid: number;
  readonly uid: number;
  readonly nice: number;
  readonly policy: number;
  readonly rtPriority: number;
  /** GVAs of `critical_start` and `critical_end`; 0n without. */
  readonly criticalStart: bigint;
  readonly criticalEnd: bigint;
}

/**
 * One trace buffer of one guest, as its text needs it. Everything is asked
 * for while lines are printed, as the kernel does: comms and options are
 * those of now, not of the event.
 */
export interface TraceMeta extends TextEnvironment {
  readonly arch: Arch;
  readonly layout: TraceLayout;
  /** Name of the current tracer: `nop`, `function_graph`. */
  readonly tracer: string;
  /** `nr_cpu_ids`: how wide the CPU column is. */
  readonly nrCpuIds: number;
  /** CPUs that are online. */
  readonly onlineCpus: number;
  /** Whether the trace clock counts ns (`trace_clocks[].in_ns`). */
  readonly clockInNs: boolean;
  /** `array_buffer.time_start`, ns. */
  readonly timeStart: bigint;
  /**
   * The comm that the kernel saved for a pid (saved_cmdlines), `undefined`
   * when it has none. Not asked for pid 0 or negative ones.
   */
  comm(pid: number): string | undefined;
  /** The thread group of a pid (saved_tgids), 0 when not recorded. */
  tgid(pid: number): number;
  /** The format of an event id, `undefined` when no event has it. */
  format(id: number): EventFormat | undefined;
  /**
   * Whether option `fields` finds the event of a tracer's own entry: the
   * kernel looks no further than the first event of another kind in its list,
   * so that most often it finds none (seen on 6.12). Default: it does.
   */
  ownEventFound?(type: number): boolean;
  /** GVAs of `__irqentry_text_start` and `__irqentry_text_end`. */
  readonly irqEntryText?: { readonly start: bigint; readonly end: bigint };
  /** `uname -r`, for the latency header. */
  readonly release?: string;
  /** For the latency header. */
  readonly latency?: LatencyInfo;
}
