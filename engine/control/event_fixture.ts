/**
 * A guest to be controlled that has trace events, options and clocks, for
 * tests.
 *
 * @module
 */
import { HASH_STRUCTS } from "../ftrace/graph/graph_hash_fixture.ts";
import { RING_STRUCTS } from "../ftrace/ring/ring_guest_fixture.ts";
import { fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { ControlGuest } from "./control_fixture.ts";

/** Bits of a `trace_event_file`'s flags. */
export const FLAG = { enabled: 1, softDisabled: 2 } as const;

const TYPES = fixtureTypes({
  ...RING_STRUCTS,
  ...HASH_STRUCTS,
  trace_array: {
    size: 192,
    members: {
      ...RING_STRUCTS.trace_array.members,
      events: [128, "list_head"],
      clock_id: [144, "u32"],
      trace_flags: [152, "u64"],
      current_trace: [160, "u64"],
      ops: [168, "u64"],
    },
  },
  tracer: { size: 24, members: { name: [0, "u64"], flags: [8, "u64"] } },
  ftrace_ops: { size: 16, members: { func_hash: [8, "u64"] } },
  ftrace_ops_hash: { size: 16, members: { filter_hash: [8, "u64"] } },
  trace_event: { size: 16, members: { type: [8, "u32"] } },
  trace_event_class: { size: 16, members: { system: [0, "u64"] } },
  tracepoint: { size: 8, members: { name: [0, "u64"] } },
  trace_event_call: {
    size: 64,
    members: {
      list: [0, "list_head"],
      class: [16, "u64"],
      name: [24, "u64"],
      tp: [24, "u64"],
      event: [32, "trace_event"],
      flags: [48, "u32"],
    },
  },
  event_filter: { size: 16, members: { filter_string: [8, "u64"] } },
  trace_event_file: {
    size: 48,
    members: {
      list: [0, "list_head"],
      event_call: [16, "u64"],
      filter: [24, "u64"],
      flags: [32, "u32"],
    },
  },
}, [
  ["EVENT_FILE_FL_ENABLED", 1 << 0],
  ["EVENT_FILE_FL_ENABLED_BIT", 0],
  ["EVENT_FILE_FL_SOFT_DISABLED", 1 << 1],
  ["EVENT_FILE_FL_SOFT_DISABLED_BIT", 1],
  ["TRACE_EVENT_FL_TRACEPOINT", 1 << 4],
  ["TRACE_EVENT_FL_TRACEPOINT_BIT", 4],
]);

const CLOCKS = ["local", "global", "mono"];
const OPTIONS = ["print-parent", "sym-offset"];
const CLOCK_BYTES = 24;

/**
 * A guest with these events, all of them off, in its top-level instance and in
 * those that are added.
 */
export class EventGuest extends ControlGuest {
  /** GVA of the top-level instance in the direct map. */
  readonly top: bigint;
  readonly #calls: readonly bigint[];
  readonly #names: readonly string[];
  readonly #files = new Map<bigint, bigint[]>();

  /**
   * @param names `system:name` of each event
   * @param roots fentry addresses of the graph roots
   */
  constructor(names: readonly string[], roots: readonly bigint[] = []) {
    super(roots, TYPES);
    this.#names = names;
    this.#calls = names.map((name, i) => this.#event(name, i + 1));
    const head = this.image(5);
    this.symbol("ftrace_events", head);
    this.link(head, ...this.#calls);
    const clocks = this.image(6);
    this.symbol("trace_clocks", clocks);
    CLOCKS.forEach((name, i) =>
      this.setU64(clocks + BigInt(i * CLOCK_BYTES + 8), this.text(name))
    );
    const options = this.image(7);
    this.symbol("trace_options", options);
    OPTIONS.forEach((name, i) =>
      this.setU64(options + BigInt(i * 8), this.text(name))
    );
    // The size of new buffers; those that there are have it already.
    const sizes = this.image(8);
    this.symbol("trace_buf_size", sizes);
    this.setU64(sizes, 1408n << 10n);
    this.symbol("ring_buffer_expanded", sizes + 8n);
    this.setU64(sizes + 8n, 1n);
    this.top = this.kernel.symbols.address("global_trace");
    this.#addFiles(this.top);
  }

  #event(name: string, id: number): bigint {
    const [system, event] = name.split(":");
    const call = this.create("trace_event_call");
    const of = this.create("trace_event_class");
    this.setU64(of, this.text(system));
    this.setU64(this.at("trace_event_call", call, "class"), of);
    this.setU64(this.at("trace_event_call", call, "name"), this.text(event));
    this.setU32(this.at("trace_event_call", call, "event.type"), id);
    return call;
  }

  #addFiles(instance: bigint): void {
    const files = this.#calls.map((call) => {
      const file = this.create("trace_event_file");
      this.setU64(this.at("trace_event_file", file, "event_call"), call);
      return file;
    });
    this.link(this.at("trace_array", instance, "events"), ...files);
    this.#files.set(instance, files);
  }

  override addInstance(name: string): bigint {
    const instance = super.addInstance(name);
    this.#addFiles(instance);
    return instance;
  }

  /** GVA of an event's `trace_event_file`. */
  file(name: string, instance = this.top): bigint {
    const file = this.#files.get(instance)?.[this.#names.indexOf(name)];
    if (file === undefined) throw new Error(`the fixture has no event ${name}`);
    return file;
  }

  /** Sets the flags of an event: see {@linkcode FLAG}. */
  setFlags(name: string, flags: number, instance = this.top): void {
    const file = this.file(name, instance);
    this.setU32(this.at("trace_event_file", file, "flags"), flags);
  }

  /** Gives an event a filter. */
  setFilter(name: string, text: string): void {
    const filter = this.create("event_filter");
    this.setU64(filter + 8n, this.text(text));
    const file = this.file(name);
    this.setU64(this.at("trace_event_file", file, "filter"), filter);
  }

  /** Sets the tracer of the top-level instance. */
  setTracer(name: string): void {
    const tracer = this.create("tracer");
    this.setU64(tracer, this.text(name));
    this.setU64(this.at("trace_array", this.top, "current_trace"), tracer);
  }

  /** Fills the `set_ftrace_filter` of the top-level instance. */
  setFunctionFilter(...ips: readonly bigint[]): void {
    const [ops, hashes, hash] = ["ftrace_ops", "ftrace_ops_hash", "ftrace_hash"]
      .map((struct) => this.create(struct));
    const bucket = this.allocate(8);
    this.setU64(this.at("trace_array", this.top, "ops"), ops);
    this.setU64(ops + 8n, hashes);
    this.setU64(hashes + 8n, hash);
    this.setU64(this.at("ftrace_hash", hash, "buckets"), bucket);
    this.setU64(this.at("ftrace_hash", hash, "count"), ips.length);
    for (const ip of ips) {
      const entry = this.create("ftrace_func_entry");
      this.setU64(entry, this.u64(bucket));
      this.setU64(this.at("ftrace_func_entry", entry, "ip"), ip);
      this.setU64(bucket, entry);
    }
  }

  /** Sets the number of pages in the buffer of the first CPU. */
  setPages(pages: number): void {
    const buffer = this.u64(
      this.at("trace_array", this.top, "array_buffer.buffer"),
    );
    const ring = this.u64(this.u64(this.at("trace_buffer", buffer, "buffers")));
    this.setU64(this.at("ring_buffer_per_cpu", ring, "nr_pages"), pages);
  }
}
