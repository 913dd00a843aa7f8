/**
 * Reads from a guest's kernel what rendering a trace depends on.
 *
 * @module
 */
import { GuestGoneError, KernelError, MemoryError } from "../../base/errors.ts";
import type { Functions } from "../../kernel/btf/types.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { checkNameLists, variable } from "../../kernel/symbols/required.ts";
import { moduleFunctions } from "../../kernel/core/module_types.ts";
import type { TraceEvents } from "../../ftrace/events/events.ts";
import type { LatencyInfo, TextSymbols, TraceMeta } from "./environment.ts";
import { checkEntryFormats } from "../../ftrace/ring/entry_formats.ts";
import { type TraceLayout, unknownEntryTypes } from "../../ftrace/ring/meta.ts";
import { lastBoot } from "../../ftrace/boot/last_boot.ts";
import { SavedCmdlines } from "../../ftrace/events/saved_cmdlines.ts";
import { NO_GRAPH_OPTIONS, type TraceTextOptions } from "./options.ts";
import { textOptions } from "./guest/guest_options.ts";
import { preemptModel, preemptModelProblem } from "./guest/preempt_model.ts";
import { FILTERS } from "./event_fields.ts";
import { entryFlags } from "./guest/entry_flags.ts";
import { hasMigrateColumn } from "./guest/flag_legend.ts";
import { functionArguments } from "./guest/function_arguments.ts";
import { textSymbols } from "./symbol_names.ts";
import type { BufferPart, TraceArray } from "../../ftrace/ring/trace_array.ts";
import {
  optionBits,
  optionNames,
  tracerOptions,
} from "../../ftrace/ring/trace_options.ts";

const MAX_STRING = 4096;

/** What differs from use to use. */
export interface TraceMetaOptions {
  /**
   * Looks up the comm of a thread; default: in the kernel's current
   * saved_cmdlines.
   */
  readonly comm?: (pid: number) => string | undefined;
  /** The buffer that is read; default: the one that the file `trace` shows. */
  readonly part?: Pick<BufferPart, "member" | "timeStart">;
}

/**
 * Collects the current values of everything on which the text of an instance's
 * trace depends.
 *
 * @throws {KernelError} when the kernel's structures are not understood.
 * @throws {MemoryError} when they cannot be read.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { traceMeta } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events, layout } = openInstance(guest.session);
 * const meta = traceMeta(instance, events, layout);
 * console.log(meta.tracer, meta.onlineCpus, meta.release);
 * ```
 */
export function traceMeta(
  instance: TraceArray,
  events: TraceEvents,
  layout: TraceLayout,
  options: TraceMetaOptions = {},
): TraceMeta {
  const { kernel } = instance;
  const { space, symbols, types } = kernel;
  checkNameLists(kernel);
  const part = options.part ?? instance.shown();
  let saved: SavedCmdlines | undefined;
  let modules: readonly Functions[] | undefined;
  const comm = options.comm ??
    ((pid: number) => {
      saved ??= fromKernel(kernel, () => SavedCmdlines.read(kernel));
      return saved?.tryComm(pid);
    });
  const irqStart = symbols.tryAddress("__irqentry_text_start");
  const irqEnd = symbols.tryAddress("__irqentry_text_end");
  if (
    instance.tracer === "function_graph" &&
    (irqStart === undefined || irqEnd === undefined)
  ) {
    throw new KernelError(
      "this kernel has no symbols __irqentry_text_start and __irqentry_text_end: " +
        "which calls are interrupts is not known",
    );
  }
  checkEntryFormats(events, layout);
  const pointerKey = readPointerKey(kernel);
  const names = textSymbols(symbols);
  return {
    arch: kernel.arch,
    pageSize: kernel.pageSize,
    layout,
    tracer: instance.tracer,
    entryFlags: () => entryFlags(types, () => hasMigrateColumn(kernel)),
    nrCpuIds: kernel.cpuIds,
    onlineCpus: kernel.cpuMask("__cpu_online_mask").length,
    clockInNs: clockInNs(instance),
    timeStart: part.timeStart,
    comm,
    tgid: tgidReader(kernel),
    format: (id) => {
      try {
        return events.format(id);
      } catch (error) {
        if (error instanceof GuestGoneError) return undefined;
        throw error;
      }
    },
    ownEventFound: (type) => {
      for (const event of fromKernel(kernel, () => events.all()) ?? []) {
        if (event.id === type) return true;
        if (event.id > layout.types.last) break;
      }
      return false;
    },
    symbols: names,
    ...lastBootNames(instance, names),
    string: (lo, hi) => {
      // Read for an event: the buffers bound how often.
      space.budget.renew();
      const gva = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
      return fromKernel(kernel, () => space.string(gva, MAX_STRING));
    },
    functionArguments: functionArguments(types, () => {
      space.budget.renew();
      modules ??= fromKernel(kernel, () => moduleFunctions(kernel)) ?? [];
      return modules;
    }),
    enumerator: (name) => types.tryEnumerator(name),
    variable: (name) => {
      const gva = symbols.tryAddress(name);
      if (gva === undefined) return undefined;
      space.budget.renew();
      return fromKernel(kernel, () => space.u64(gva));
    },
    release: kernel.facts.release,
    latency: latencyInfo(instance, part.member),
    ...(irqStart === undefined || irqEnd === undefined
      ? {}
      : { irqEntryText: { start: irqStart, end: irqEnd } }),
    ...(pointerKey === undefined ? {} : { pointerKey }),
    pointerKeyUnknown: symbols.tryAddress("ptr_key") === undefined,
    noHashPointers: hashesNoPointers(kernel),
    checksStrings: checksStrings(kernel),
    structSize: (name) => types.tryStruct(name)?.size,
    ...ticksPerSecond(kernel),
    ...fieldForms(kernel),
    // This changed between 6.1 and 6.12; the nearest change that is visible in
    // BTF is that sub-buffers got a size of their own.
    hexChunkSpace: types.tryMember("trace_buffer", "subbuf_order") !==
      undefined,
  };
}

/**
 * The text options that currently apply to the guest's own trace files.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { openInstance } from "xftrace/ftrace";
 * import { guestTextOptions } from "xftrace/output";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const options = guestTextOptions(openInstance(guest.session).instance);
 * console.log(options.symOffset, options.graph.duration);
 * ```
 */
export function guestTextOptions(instance: TraceArray): TraceTextOptions {
  const { kernel } = instance;
  const names = optionNames(kernel);
  const options = optionsOf(instance, names);
  checkRecorded(instance, options);
  const unknownEntries = unknownEntryTypes(kernel.types);
  // Where `%p` became an address before there was an option for that (5.12):
  // efbbdaa22bb7, "tracing: Show real address for trace event arguments", which
  // added this function, and is in 5.10.223.
  const showsAddresses = names?.includes("hash-ptr") === false &&
    kernel.symbols.tryAddress("trace_event_format") !== undefined;
  return {
    ...options,
    ...(showsAddresses ? { hashPtr: false } : {}),
    ...(options.fields && fieldForms(kernel).namesFieldValues
      ? { showsReader: true }
      : {}),
    ...(unknownEntries.length === 0 ? {} : { unknownEntries }),
  };
}

function optionsOf(
  { kernel, object, tracer }: TraceArray,
  names: readonly string[] | undefined,
): TraceTextOptions {
  const options = textOptions({
    types: kernel.types,
    flags: optionBits(object),
    names,
    ...(tracer === "function_graph" ? { graph: tracerOptions(object) } : {}),
  });
  // Entries of the boot before are drawn with the options of today's tracer,
  // where an instance has only those (seen in 7.2.13).
  return tracer === "nop" && object.has("current_trace_flags")
    ? { ...options, graph: NO_GRAPH_OPTIONS }
    : options;
}

/**
 * Makes sure that an instance's options are those that the kernel's names and
 * types both say.
 *
 * @throws {KernelError} otherwise.
 */
export function checkOptions(instance: TraceArray): void {
  optionsOf(instance, optionNames(instance.kernel));
}

/**
 * What options that are set ask for has to be where it is known to be.
 *
 * @throws {KernelError} otherwise.
 */
function checkRecorded(
  { kernel, tracer, object }: TraceArray,
  options: TraceTextOptions,
): void {
  const { types, symbols } = kernel;
  const has = (struct: string, member: string) =>
    types.tryOffset(struct, member) !== undefined;
  const { graph } = options;
  const needs: readonly (readonly [boolean, string, () => boolean])[] = [
    [
      graph.retval,
      "return values: struct ftrace_graph_ret_entry has no ret.retval",
      () => has("ftrace_graph_ret_entry", "ret.retval"),
    ],
    [
      graph.args,
      "arguments: struct ftrace_graph_ent_entry has no args",
      () => has("ftrace_graph_ent_entry", "args"),
    ],
    [
      graph.retaddr,
      "return addresses: there is no TRACE_GRAPH_RETADDR_ENT",
      () => types.tryEnumerator("TRACE_GRAPH_RETADDR_ENT") !== undefined,
    ],
    [
      tracer === "function" && tracerOptions(object)
        .some(({ name, set }) => name === "func-args" && set),
      "arguments: struct ftrace_entry has no args",
      () => has("ftrace_entry", "args"),
    ],
    [
      options.recordTgid,
      "thread groups: it has no symbols tgid_map and tgid_map_max",
      () =>
        symbols.tryAddress("tgid_map") !== undefined &&
        symbols.tryAddress("tgid_map_max") !== undefined,
    ],
    [
      options.latencyFormat,
      "latencies: it has no struct trace_array_cpu",
      () => types.tryStruct("trace_array_cpu") !== undefined,
    ],
  ];
  for (const [asked, what, there] of needs) {
    if (asked && !there()) throw elsewhere(what);
  }
  if (options.latencyFormat) {
    const problem = preemptModelProblem(kernel);
    if (problem !== undefined) throw elsewhere(problem);
  }
  // FILTER_RDYN_STRING: 05770dd0ad11 (5.16).
  const filter = FILTERS.find((name) =>
    name !== "FILTER_RDYN_STRING" && types.tryEnumerator(name) === undefined
  );
  if (options.fields && filter !== undefined) {
    throw elsewhere(`which fields are strings: it has no ${filter}`);
  }
  // Both came with the adjustment of addresses (6.15).
  const adjusts = symbols.tryAddress("trace_adjust_address") !== undefined;
  if (options.fields && adjusts !== has("trace_array", "module_delta")) {
    throw elsewhere(
      "addresses of modules that moved: it has only one of " +
        "trace_array.module_delta and trace_adjust_address",
    );
  }
}

function elsewhere(what: string): KernelError {
  return new KernelError(
    `this kernel keeps, where xftrace does not know, ${what}`,
  );
}

/**
 * Whether the trace clock counts ns.
 *
 * @throws {KernelError} when that is not known.
 */
function clockInNs({ clock }: TraceArray): boolean {
  if (clock.inNs !== undefined) return clock.inNs;
  throw new KernelError(
    `this kernel's trace clocks are not where xftrace knows them to be: what ` +
      `${clock.name} counts is not known`,
  );
}

/**
 * How the option `fields` writes values (print_fields in trace_output.c).
 * Neither change shows in BTF by itself, so each is told by what came with it:
 * the adjustment of addresses to modules that moved (`module_delta`), and the
 * recording of strings of system calls (`user_mask`). 6.12 has neither, 7.2.13
 * has both.
 */
function fieldForms({ types, symbols }: Kernel) {
  return {
    namesFieldValues:
      types.tryOffset("trace_array", "module_delta") !== undefined,
    cleansStrings:
      types.tryOffset("syscall_metadata", "user_mask") !== undefined,
    kernelStart: symbols.tryAddress("_stext"),
  };
}

/**
 * How the events of the boot before are shown. With 8cd63406d081 (seen in
 * 6.12.95), the kernel shows them by their fields if its code has moved, because
 * their formats do not know that.
 */
function lastBootNames(
  instance: TraceArray,
  symbols: TextSymbols,
): Pick<TraceMeta, "adjusted" | "byFields" | "drawn" | "recorded"> {
  const boot = lastBoot(instance);
  if (boot === undefined) return {};
  const whole = (lo: number, hi: number) =>
    BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
  const halves = (address: bigint): readonly [number, number] => [
    Number(address & 0xffffffffn),
    Number(address >> 32n),
  ];
  const adjusted = (lo: number, hi: number) =>
    halves(boot.adjust(whole(lo, hi)));
  const drawn = (lo: number, hi: number) =>
    symbols.ps(
      ...halves(BigInt.asUintN(64, whole(lo, hi) + boot.textDelta)),
    );
  const name = (form: keyof TextSymbols) => (lo: number, hi: number) =>
    symbols[form](...adjusted(lo, hi));
  return {
    adjusted,
    byFields: boot.textDelta !== 0n,
    drawn,
    recorded: {
      bare: name("bare"),
      ps: name("ps"),
      pS: name("pS"),
      pB: name("pB"),
    },
  };
}

/** `ptr_key` of lib/vsprintf.c, with which `%p` is hashed. */
function readPointerKey(kernel: Kernel): [bigint, bigint] | undefined {
  const gva = kernel.symbols.tryAddress("ptr_key");
  if (gva === undefined) return undefined;
  const key: [bigint, bigint] = [
    kernel.space.u64(gva),
    kernel.space.u64(gva + 8n),
  ];
  // All zeros: the key has not been generated yet, early after boot.
  return key[0] === 0n && key[1] === 0n ? undefined : key;
}

/**
 * Whether the kernel was booted with `no_hash_pointers`: 5ead723a20e0,
 * "lib/vsprintf: no_hash_pointers prints all addresses as unhashed" (5.12).
 */
function hashesNoPointers({ space, symbols }: Kernel): boolean {
  const at = variable(symbols, "no_hash_pointers", ["no_hash_pointers_enable"]);
  return at !== undefined && space.u8(at) !== 0;
}

/**
 * Whether the kernel checks a string before it prints it: since 9a6944fee68e
 * (5.13), until afd2627f727b (6.13), after which the flag TEST_STR says for
 * which events.
 *
 * @throws {KernelError} when a later kernel has neither.
 */
function checksStrings({ symbols, types }: Kernel): boolean {
  if (symbols.tryAddress("trace_check_vprintf") !== undefined) return true;
  if (
    types.tryEnumerator("TRACE_EVENT_FL_TEST_STR") !== undefined ||
    // Since 5.14, see meta.ts.
    types.tryEnumerator("TRACE_FUNC_REPEATS") === undefined
  ) return false;
  throw elsewhere(
    "how it checks strings: it has no symbol trace_check_vprintf and no " +
      "TRACE_EVENT_FL_TEST_STR",
  );
}

/**
 * CONFIG_HZ, which is not in any variable: `clocksource_jiffies.mult` is
 * TICK_NSEC shifted by its `shift` (kernel/time/jiffies.c).
 */
export function ticksPerSecond(kernel: Kernel): { hz?: number } {
  const gva = kernel.symbols.tryAddress("clocksource_jiffies");
  if (gva === undefined) return {};
  const clock = kernel.object("clocksource", gva);
  const tick = clock.number("mult") / 2 ** clock.number("shift");
  return tick > 0 ? { hz: Math.round(1e9 / tick) } : {};
}

/** saved_tgids: `tgid_map`, an array indexed by pid (option record-tgid). */
function tgidReader(kernel: Kernel): (pid: number) => number {
  const map = kernel.symbols.tryAddress("tgid_map");
  const maxAt = kernel.symbols.tryAddress("tgid_map_max");
  const array = map === undefined ? 0n : kernel.space.u64(map);
  if (array === 0n || maxAt === undefined) return () => 0;
  const max = kernel.space.u32(maxAt);
  return (pid) =>
    pid <= 0 || pid > max ? 0 : fromKernel(
      kernel,
      () => kernel.space.u32(array + BigInt(pid * 4)),
    ) ?? 0;
}

/**
 * Reads what an event only points to; `undefined` when it is not there: the page
 * is missing from a recording, or the guest is gone or runs another kernel by
 * the time the text is written.
 */
function fromKernel<T>({ origin }: Kernel, read: () => T): T | undefined {
  try {
    return origin?.life() === "other" ? undefined : read();
  } catch (error) {
    if (error instanceof MemoryError || error instanceof GuestGoneError) {
      return undefined;
    }
    throw error;
  }
}

/**
 * What the header of the latency format shows: the CPU with the maximum
 * latency, and its task.
 */
function latencyInfo(
  instance: TraceArray,
  member: BufferPart["member"],
): LatencyInfo | undefined {
  const { kernel, object } = instance;
  const { types } = kernel;
  if (types.tryStruct("trace_array_cpu") === undefined) return undefined;
  const cpu = object.s32(`${member}.cpu`);
  const base = object.u64(`${member}.data`);
  const offset = kernel.perCpuOffsets[cpu];
  if (base === 0n || offset === undefined) return undefined;
  const data = kernel.object(
    "trace_array_cpu",
    BigInt.asUintN(64, base + offset),
  );
  return {
    latency: data.u64("saved_latency"),
    cpu,
    preemptModel: preemptModel(kernel),
    comm: data.chars("comm"),
    pid: data.s32("pid"),
    uid: data.number("uid"),
    nice: Number(BigInt.asIntN(64, data.u64("nice"))),
    policy: Number(data.u64("policy")),
    rtPriority: Number(data.u64("rt_priority")),
    criticalStart: data.u64("critical_start"),
    criticalEnd: data.u64("critical_end"),
  };
}
