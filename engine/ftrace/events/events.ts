/**
 * The kernel's trace events and their formats, read from guest memory: the list
 * `ftrace_events` (kernel/trace/trace_events.c) and the system calls' metadata
 * (kernel/trace/trace_syscalls.c).
 *
 * @module
 */
import { BudgetError } from "../../base/budget.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Types } from "../../kernel/btf/types.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { steady } from "../../kernel/core/lists.ts";
import { KernelObject, listFrom } from "../../kernel/core/object.ts";
import {
  checkMembers,
  checkSyscallTypes,
  EVENT_MEMBERS,
  FORMAT_MEMBERS,
  USER_MEMBERS,
} from "./event_members.ts";
import type {
  EventField,
  EventFormat,
  SyscallFormat,
  SyscallUserData,
} from "./formats.ts";

/**
 * Maximum number of fields in an event class; more than any kernel's event has.
 */
const MAX_FIELDS = 512;
/** More events than a kernel has: their ids have 16 bits. */
const MAX_EVENTS = 65536;
const MAX_ARGS = 6;
const PRINT_FMT_BYTES = 65536;

/** One `struct trace_event_call`. */
export interface TraceEvent {
  /** `trace_entry.type`. */
  readonly id: number;
  /** The subsystem: `sched`. */
  readonly system: string;
  /** The event's name: `sched_switch`. */
  readonly name: string;
  /** GVA of the `trace_event_call`. */
  readonly gva: bigint;
}

/**
 * The events of one kernel. The list and the formats are read on first use; all
 * methods throw {@linkcode KernelError} when the kernel has no events. Damage
 * stays where it is: an event or a format that cannot be read is left out, and
 * {@linkcode leftOut} says so.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { TraceEvents } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const events = new TraceEvents(guest.session.kernel);
 * const found = events.find("sched:sched_switch");
 * const format = found && events.format(found.id);
 * console.log(format?.fields.map(({ name, type }) => `${type} ${name}`));
 * ```
 */
export class TraceEvents {
  readonly kernel: Kernel;
  #listed: Map<number, TraceEvent> | undefined;
  readonly #formats = new Map<number, EventFormat | undefined>();
  readonly #problems: string[] = [];

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** The events, listed on first use. */
  get #byId(): ReadonlyMap<number, TraceEvent> {
    if (this.#listed !== undefined) return this.#listed;
    checkMembers(this.kernel, EVENT_MEMBERS);
    return this.#listed = this.#list();
  }

  #list(): Map<number, TraceEvent> {
    try {
      // A list that changes is read again.
      return steady(
        () => listEvents(this.kernel),
        this.kernel.memory.live ? 6 : 1,
      );
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    return listEvents(this.kernel, (error) => {
      this.#problems.push(`the list of events: ${error.message}`);
    });
  }

  /**
   * What could not be read until now, as one sentence; `undefined` when nothing
   * was left out.
   */
  get leftOut(): string | undefined {
    const [first] = this.#problems;
    if (first === undefined) return undefined;
    const count = this.#problems.length;
    return `${count} ${
      count === 1 ? "part" : "parts"
    } of the events' descriptions could not be read and ${
      count === 1 ? "is" : "are"
    } left out (${first})`;
  }

  /** All events, in the kernel's order. */
  all(): TraceEvent[] {
    return [...this.#byId.values()];
  }

  /** The event with that id, if it exists. */
  get(id: number): TraceEvent | undefined {
    return this.#byId.get(id);
  }

  /** The event `system:name`, or just `name`, if it exists. */
  find(name: string): TraceEvent | undefined {
    for (const event of this.#byId.values()) {
      if (name === event.name || name === `${event.system}:${event.name}`) {
        return event;
      }
    }
    return undefined;
  }

  /**
   * The format of the event with that id; `undefined` for an unknown id, or when
   * it cannot be read.
   *
   * @throws {KernelError} when no format of this kernel can be read: its structs
   * are not those of a known kernel.
   */
  format(id: number): EventFormat | undefined {
    const known = this.#formats.get(id);
    if (known !== undefined || this.#formats.has(id)) return known;
    const event = this.#byId.get(id);
    if (event === undefined) return undefined;
    checkMembers(this.kernel, FORMAT_MEMBERS);
    checkProbes(this.kernel);
    if (event.system === "syscalls") checkSyscallTypes(this.kernel);
    const format = this.#read(event);
    this.#formats.set(id, format);
    return format;
  }

  #read(event: TraceEvent): EventFormat | undefined {
    try {
      return readFormat(this.kernel, event);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#problems.push(
        `the format of ${event.system}:${event.name}: ${error.message}`,
      );
      return undefined;
    }
  }
}

/** Whether an error is about a part of memory, and not about all of it. */
function isDamage(error: unknown): error is KernelError | MemoryError {
  return (error instanceof KernelError || error instanceof MemoryError) &&
    !(error instanceof BudgetError);
}

/**
 * @param damaged what to do about a part that cannot be read; default: throw
 */
function listEvents(
  kernel: Kernel,
  damaged: (error: KernelError | MemoryError) => void = (error) => {
    throw error;
  },
): Map<number, TraceEvent> {
  const head = kernel.symbols.tryAddress("ftrace_events");
  if (head === undefined) {
    throw new KernelError(
      "this kernel has no trace events (no symbol ftrace_events): it needs CONFIG_EVENT_TRACING",
    );
  }
  const byId = new Map<number, TraceEvent>();
  const tracepoint = flagMask(kernel.types, "TRACE_EVENT_FL_TRACEPOINT");
  const tolerant = (read: () => void) => {
    try {
      read();
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged(error);
    }
  };
  const calls = listFrom(kernel, head, "trace_event_call", "list", MAX_EVENTS);
  const seen = new Set<bigint>();
  tolerant(() => {
    for (const call of calls) {
      if (seen.has(call.gva)) throw new KernelError("it runs in circles");
      seen.add(call.gva);
      tolerant(() => {
        const event = readEvent(call, tracepoint);
        if (event !== undefined) byId.set(event.id, event);
      });
    }
  });
  return byId;
}

function readEvent(
  call: KernelObject,
  tracepoint: number | undefined,
): TraceEvent | undefined {
  const flags = call.number("flags");
  // With the flag, the union holds a tracepoint; without it, a name.
  const name = tracepoint !== undefined && (flags & tracepoint) !== 0
    ? call.follow("tp", "tracepoint")?.stringAt("name")
    : call.stringAt("name");
  const system = call.follow("class", "trace_event_class")?.stringAt("system");
  if (name === undefined || system === undefined) return undefined;
  return {
    id: call.number("event.type"),
    system,
    name,
    gva: call.gva,
  };
}

/** Reads the fields from a list head; the kernel keeps the last field first. */
function readFields(kernel: Kernel, head: bigint): EventField[] {
  const fields: EventField[] = [];
  for (
    const field of listFrom(
      kernel,
      head,
      "ftrace_event_field",
      "link",
      MAX_FIELDS,
    )
  ) {
    fields.push({
      name: field.stringAt("name") ?? "",
      type: field.stringAt("type") ?? "",
      offset: field.number("offset"),
      size: field.number("size"),
      signed: field.number("is_signed") !== 0,
      filterType: field.number("filter_type"),
    });
  }
  return fields.reverse();
}

function readFormat(kernel: Kernel, event: TraceEvent): EventFormat {
  const call = kernel.object("trace_event_call", event.gva);
  const eventClass = call.follow("class", "trace_event_class");
  if (eventClass === undefined) {
    throw new KernelError(`event ${event.system}:${event.name} has no class`);
  }
  const printFmt = call.stringAt("print_fmt", PRINT_FMT_BYTES) ?? "";
  const base = {
    id: event.id,
    system: event.system,
    name: event.name,
    printFmt,
  };
  const syscall = readSyscall(call, eventClass);
  // A system call's enter fields are in its metadata (class->get_fields); exit
  // fields, like those of all other events, are in the class.
  const fields = syscall !== undefined && !syscall.format.exit
    ? readFields(kernel, syscall.metadata.at("enter_fields"))
    : readFields(kernel, eventClass.at("fields"));
  const probed = readProbed(call);
  return {
    ...base,
    fields,
    ...(syscall === undefined ? {} : { syscall: syscall.format }),
    ...(probed === undefined ? {} : { probed }),
  };
}

/**
 * Kernels with event probes say which events are some.
 *
 * @throws {KernelError} when this one does not.
 */
function checkProbes({ types }: Kernel): void {
  if (types.tryStruct("trace_eprobe") === undefined) return;
  flagMask(types, "TRACE_EVENT_FL_EPROBE");
}

/**
 * The event that an event probe (since 5.15, 7491e2c44278) probes, as
 * kernel/trace/trace_eprobe.c prints it: `system.name`.
 */
function readProbed(call: KernelObject): string | undefined {
  const { kernel } = call;
  const { types } = kernel;
  if (types.tryStruct("trace_eprobe") === undefined) return undefined;
  const flag = flagMask(types, "TRACE_EVENT_FL_EPROBE");
  if ((call.number("flags") & flag) === 0) return undefined;
  const up = (gva: bigint, struct: string, member: string) =>
    new KernelObject(
      kernel,
      struct,
      gva - BigInt(types.offset(struct, member)),
    );
  // trace_probe_primary_from_call(): the first probe of the event.
  const event = up(call.gva, "trace_probe_event", "call");
  const probe = up(event.u64("probes.next"), "trace_probe", "list");
  const probed = up(probe.gva, "trace_eprobe", "tp")
    .follow("event", "trace_event_call");
  const found = probed === undefined
    ? undefined
    : readEvent(probed, flagMask(types, "TRACE_EVENT_FL_TRACEPOINT"));
  if (found === undefined) {
    throw new KernelError("an event probe does not say what it probes");
  }
  return `${found.system}.${found.name}`;
}

function readSyscall(
  call: KernelObject,
  eventClass: KernelObject,
): { format: SyscallFormat; metadata: KernelObject } | undefined {
  const { kernel } = call;
  const enter = kernel.symbols.tryAddress("event_class_syscall_enter");
  const exit = kernel.symbols.tryAddress("event_class_syscall_exit");
  if (eventClass.gva !== enter && eventClass.gva !== exit) return undefined;
  const metadata = call.follow("data", "syscall_metadata");
  if (metadata === undefined) return undefined;
  const count = Math.min(metadata.number("nb_args"), MAX_ARGS);
  const strings = (path: string): string[] => {
    const array = metadata.u64(path);
    const found: string[] = [];
    for (let i = 0; i < count; i++) {
      const text = kernel.space.u64(array + BigInt(i * 8));
      found.push(text === 0n ? "" : kernel.space.string(text));
    }
    return found;
  };
  return {
    metadata,
    format: {
      name: metadata.stringAt("name") ?? "",
      exit: eventClass.gva === exit,
      args: strings("args"),
      types: strings("types"),
      ...(userData(metadata)),
    },
  };
}

/** What a kernel records of the caller's memory, if it does. */
function userData(metadata: KernelObject): { user?: SyscallUserData } {
  if (!metadata.has(USER_MEMBERS[0])) return {};
  return {
    user: {
      mask: metadata.number("user_mask"),
      sizeArgument: metadata.number("user_arg_size") << 24 >> 24,
      isString: metadata.number("user_arg_is_str") !== 0,
    },
  };
}

/**
 * The mask of a flag, which kernels have twice: as a mask, and as the number of
 * its bit (`_BIT`).
 *
 * @throws {KernelError} when there is no such flag, or the two do not agree.
 */
export function flagMask(
  types: Pick<Types, "enumerator">,
  name: string,
): number {
  const mask = types.enumerator(name);
  const bit = types.enumerator(`${name}_BIT`);
  if (mask === 2 ** bit) return mask;
  throw new KernelError(
    `this kernel's types have ${name} as ${mask} and ${name}_BIT as ${bit}: ` +
      "what the flags of its events mean is not known to xftrace",
  );
}

/** The switch of an event in an instance: a `struct trace_event_file`. */
export interface EventFile {
  readonly system: string;
  readonly name: string;
  /** GVA of the `trace_event_file`. */
  readonly gva: bigint;
  /** Whether the event is recorded when it happens. */
  readonly enabled: boolean;
  /** Enabled, but muted by a trigger or by xftrace. */
  readonly softDisabled: boolean;
}

/**
 * The event switches of an instance (`trace_array.events`).
 *
 * @param events the kernel's events, which supply the names
 */
export function eventFiles(
  kernel: Kernel,
  instance: KernelObject,
  events: TraceEvents,
): EventFile[] {
  const byCall = new Map(events.all().map((event) => [event.gva, event]));
  const bit = (name: string) => flagMask(kernel.types, name);
  const enabled = bit("EVENT_FILE_FL_ENABLED");
  const softDisabled = bit("EVENT_FILE_FL_SOFT_DISABLED");
  const found: EventFile[] = [];
  for (const file of instance.list("events", "trace_event_file", "list")) {
    const event = byCall.get(file.u64("event_call"));
    if (event === undefined) continue;
    const flags = file.number("flags");
    found.push({
      system: event.system,
      name: event.name,
      gva: file.gva,
      enabled: (flags & enabled) !== 0,
      softDisabled: (flags & softDisabled) !== 0,
    });
  }
  return found;
}
