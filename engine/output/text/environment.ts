/**
 * What rendering needs to know about the guest, besides an event's own bytes.
 *
 * @module
 */
import type { TextRoom } from "./bytes/numbered_texts.ts";
import type { Arch } from "../../arch/arch.ts";
import type { EventFormat } from "../../ftrace/events/formats.ts";
import type { EntryFlags } from "./guest/entry_flags.ts";
import type { TraceLayout } from "../../ftrace/ring/meta.ts";

/** Names for addresses, in each of the kernel's formats. */
export interface TextSymbols {
  /** Like `seq_print_ip_sym`: the bare name, or `0x%08lx` if there is none. */
  bare(lo: number, hi: number): string;
  /** Like `%ps`: name and ` [module]`, or `0x%lx` if there is no name. */
  ps(lo: number, hi: number): string;
  /** Like `%pS`: `name+0x1a/0x40 [module]`, or `0x%lx` if there is no name. */
  pS(lo: number, hi: number): string;
  /** Like `%pB`: `%pS` of the call that precedes a return address. */
  pB(lo: number, hi: number): string;
}

/** The guest from the renderers' point of view. */
export interface TextEnvironment {
  readonly symbols: TextSymbols;
  /** The C string at a GVA; `undefined` if it cannot be read. */
  string(lo: number, hi: number): string | undefined;
  /** The value of an enumerator that a print_fmt still contains by name. */
  enumerator?(name: string): number | undefined;
  /** The value of an 8-byte kernel variable that a print_fmt uses. */
  variable?(name: string): bigint | undefined;
  /**
   * The recorded arguments of a function in the way in which
   * `print_function_args` writes them between the parentheses
   * (`fd=3, buf=0xffff...`), according to its prototype; `undefined` if the
   * prototype is not known.
   *
   * @param name the function's bare name
   * @param args the registers that contain arguments
   */
  functionArguments?(
    name: string,
    args: readonly bigint[],
  ): string | undefined;
  /**
   * Size of `struct NAME` in bytes, for pointer arithmetic (`struct page *`).
   */
  structSize?(name: string): number | undefined;
  /**
   * The kernel's `ptr_key`, for `%p`; without it, `%p` is shown as a
   * placeholder.
   */
  readonly pointerKey?: readonly [bigint, bigint];
  /**
   * Whether the kernel has such a key, but not where it is known to be: then
   * events with `%p` are shown as raw fields. Default false.
   */
  readonly pointerKeyUnknown?: boolean;
  /** Whether `%p` is hashed (trace option `hash-ptr`); default true. */
  readonly hashPointers?: boolean;
  /** Whether `no_hash_pointers` was given at boot; default false. */
  readonly noHashPointers?: boolean;
  /**
   * Whether the kernel checks strings while it prints (if it has the function
   * `trace_check_vprintf`: 5.13 to 6.12). With the option `nohash-ptr`, such a
   * kernel overwrites its own format string, and prints nothing for the first
   * `%s` of an event (seen on 6.1.192). Default false.
   */
  readonly checksStrings?: boolean;
  /** The kernel's `PAGE_SIZE`; default: the smallest size that kernels use. */
  readonly pageSize?: number;
  /** Ticks per second (CONFIG_HZ), for `jiffies_to_msecs`. */
  readonly hz?: number;
  /**
   * Whether `__print_hex` writes a space between chunks of 16 bytes (6.12 does,
   * 6.1 does not); default true.
   */
  readonly hexChunkSpace?: boolean;
  /** Whether bitmasks are lists (trace option `bitmask-list`); default false. */
  readonly bitmaskList?: boolean;
  /**
   * Whether the option `fields` shows 8-byte values as `%pS`, the name of the
   * function there (print_fields in trace_output.c: 7.2 does, 6.12 does not).
   * Default false.
   */
  readonly namesFieldValues?: boolean;
  /**
   * Whether the option `fields` shows dots for what cannot be printed of a
   * string, with the bytes after it (7.2 does, 6.12 does not). Default false.
   */
  readonly cleansStrings?: boolean;
  /**
   * Where the kernel finds an address of the boot before, if the buffer holds
   * the events of that; addresses of functions, and in fields that are shown by
   * {@linkcode namesFieldValues}.
   */
  readonly adjusted?: (lo: number, hi: number) => readonly [number, number];
  /** GVA of `_stext`, from which some fields give an offset. */
  readonly kernelStart?: bigint;
  /** For the texts that writers of events keep; default: each has its own. */
  readonly room?: TextRoom;
}

/** Names of addresses as they were recorded, perhaps in the boot before. */
export function recordedNames(
  { recorded, symbols }: Pick<TraceMeta, "recorded" | "symbols">,
): TextSymbols {
  return recorded ?? symbols;
}

/** What the header of a latency tracer's trace shows. */
export interface LatencyInfo {
  /** `trace_array_cpu.saved_latency`, in ns. */
  readonly latency: bigint;
  /** `array_buffer.cpu`: the CPU on which the latency occurred. */
  readonly cpu: number;
  /** `server`, `desktop`, `preempt`, `preempt_rt` or `unknown`. */
  readonly preemptModel: string;
  readonly comm: string;
  readonly pid: number;
  readonly uid: number;
  readonly nice: number;
  readonly policy: number;
  readonly rtPriority: number;
  /** GVAs of `critical_start` and `critical_end`; 0n if there are none. */
  readonly criticalStart: bigint;
  readonly criticalEnd: bigint;
}

/**
 * What the text of a guest's trace buffer depends on. Everything is looked up
 * while lines are printed, as the kernel does: comms and options are the
 * current ones, not those at the time of the event.
 */
export interface TraceMeta extends TextEnvironment {
  readonly arch: Arch;
  readonly layout: TraceLayout;
  /** Name of the current tracer: `nop`, `function_graph`. */
  readonly tracer: string;
  /**
   * The bits of entries' flags.
   *
   * @throws {KernelError} when they are not those of a known kernel.
   */
  entryFlags(): EntryFlags;
  /** `nr_cpu_ids`, which determines the width of the CPU column. */
  readonly nrCpuIds: number;
  /** Number of CPUs that are online. */
  readonly onlineCpus: number;
  /** Whether the trace clock counts ns (`trace_clocks[].in_ns`). */
  readonly clockInNs: boolean;
  /** `array_buffer.time_start`, in ns. */
  readonly timeStart: bigint;
  /**
   * The comm that the kernel saved for a pid (saved_cmdlines); `undefined` if
   * there is none. Not called for pid 0 or negative pids.
   */
  comm(pid: number): string | undefined;
  /** The thread group of a pid (saved_tgids); 0 if it is not recorded. */
  tgid(pid: number): number;
  /** The format of an event id; `undefined` if no event has this id. */
  format(id: number): EventFormat | undefined;
  /**
   * Whether the option `fields` finds the event of a tracer's own entry. The
   * kernel stops at the first event of another kind in its list, so it usually
   * finds none (seen on 6.12). Default: it does.
   */
  ownEventFound?(type: number): boolean;
  /**
   * Names of addresses that were recorded: those of {@linkcode symbols}, but of
   * the boot before when the buffer holds its events.
   */
  readonly recorded?: TextSymbols;
  /**
   * Names of functions in graphs of the boot before: the kernel moves those of
   * modules like its own there (`func + tr->text_delta`, seen in 7.2.13).
   */
  readonly drawn?: (lo: number, hi: number) => string;
  /**
   * Whether events are shown by their fields whatever the options say, as the
   * kernel does with those of the boot before. Default false.
   */
  readonly byFields?: boolean;
  /** GVAs of `__irqentry_text_start` and `__irqentry_text_end`. */
  readonly irqEntryText?: { readonly start: bigint; readonly end: bigint };
  /** `uname -r`, for the latency header. */
  readonly release?: string;
  /** For the latency header. */
  readonly latency?: LatencyInfo;
}
