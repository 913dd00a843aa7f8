/**
 * A guest to be controlled, for tests: Ftrace's instances, graph roots, and
 * tracefs files.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { TraceEvents } from "../ftrace/events/events.ts";
import { HASH_STRUCTS, HashGuest } from "../ftrace/graph/graph_hash_fixture.ts";
import { RING_STRUCTS } from "../ftrace/ring/ring_guest_fixture.ts";
import { RB_BUFFER_OFF, TraceArray } from "../ftrace/ring/trace_array.ts";
import { DIRECT_MAP, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import { RefusedError } from "../seal/page/mailbox.ts";
import type { Session } from "../session.ts";
import type { FileChange } from "./plan.ts";
import type { ControlTarget } from "./target.ts";
import type { TracefsAccess } from "./tracefs.ts";

const TYPES = fixtureTypes({ ...RING_STRUCTS, ...HASH_STRUCTS });
const CPUS = 2;

/** A guest with two CPUs that does not record. */
export class ControlGuest extends HashGuest {
  /** GVA of `fgraph_max_depth` in the direct map. */
  readonly depth: bigint;
  readonly #arrays: bigint;

  /**
   * @param roots fentry addresses of the graph roots
   * @param types must include the structures of rings and of the hash
   */
  constructor(roots: readonly bigint[], types = TYPES) {
    super(roots, 2, types);
    const top = this.#variable("global_trace", 1);
    this.#arrays = this.#variable("ftrace_trace_arrays", 2);
    this.setU64(this.#arrays, this.#image(2));
    this.setU64(this.#arrays + 8n, this.#image(2));
    this.depth = this.#variable("fgraph_max_depth", 3);
    const ids = this.#variable("nr_cpu_ids", 4);
    this.setU32(ids, CPUS);
    this.#fill(top);
    const buffer = this.u64(
      this.at("trace_array", top, "array_buffer.buffer"),
    );
    this.setU32(
      this.at("trace_buffer", buffer, "record_disabled"),
      RB_BUFFER_OFF,
    );
    this.setU32(this.at("trace_array", top, "buffer_disabled"), 1);
  }

  #image(index: number): bigint {
    return 0xffffffff81400000n + BigInt(index * 4096);
  }

  /** A kernel variable; returns its address in the direct map. */
  #variable(name: string, index: number): bigint {
    const gva = this.image(index);
    this.symbol(name, gva);
    return DIRECT_MAP + BigInt(this.space.translate(gva).gpa);
  }

  /** Gives an instance its trace buffer. */
  #fill(instance: bigint): void {
    const buffer = this.create("trace_buffer");
    const array = this.allocate(CPUS * 8);
    for (let cpu = 0; cpu < CPUS; cpu++) {
      const ring = this.create("ring_buffer_per_cpu");
      this.setU32(this.at("ring_buffer_per_cpu", ring, "cpu"), cpu);
      this.setU64(array + BigInt(cpu * 8), ring);
    }
    this.setU64(this.at("trace_buffer", buffer, "buffers"), array);
    this.setU64(
      this.at("trace_array", instance, "array_buffer.buffer"),
      buffer,
    );
  }

  /**
   * Creates an instance that records, like `mkdir instances/NAME`.
   *
   * @returns GVA of its `trace_array`
   */
  addInstance(name: string): bigint {
    const instance = this.create("trace_array");
    this.#fill(instance);
    this.setU64(this.at("trace_array", instance, "name"), this.text(name));
    const link = this.at("trace_array", instance, "list");
    this.setU64(link, this.u64(this.#arrays));
    this.setU64(this.#arrays, link);
    return instance;
  }

  /** Removes the instance that was created last. */
  removeInstance(): void {
    this.setU64(this.#arrays, this.u64(this.u64(this.#arrays)));
  }

  /** The guest as a target of control. */
  target(name?: string): ControlTarget {
    const { kernel } = this;
    const session: Session = {
      target: "qemu:test",
      key: "vm-1-2",
      memory: this.memory,
      ramBytes: this.bytes.length,
      kernel,
      alive: () => true,
      end: () => undefined,
      registers: () => Promise.resolve({ why: "a fixture has none" }),
      [Symbol.dispose]: () => {},
    };
    return {
      session,
      instance: TraceArray.named(kernel, name),
      events: new TraceEvents(kernel),
    };
  }
}

/** A guest's tracefs files; writes to those in `refuses` fail. */
export class Files implements TracefsAccess {
  readonly contents: Map<string, string>;
  /** The operations, in order. */
  readonly log: string[] = [];
  answers = true;
  refuses = "";
  /** The guest in which instances are created and removed. */
  guest: ControlGuest | undefined;

  constructor(contents: Record<string, string>) {
    this.contents = new Map(Object.entries(contents));
  }
  readTracefs(path: string): Promise<string> {
    return this.answers
      ? Promise.resolve(this.contents.get(path) ?? "")
      : Promise.reject(new XftraceError("the guest's module did not answer"));
  }
  writeTracefs(
    path: string,
    text: string,
    options: { readonly append?: boolean } = {},
  ): Promise<void> {
    if (path === this.refuses) {
      return Promise.reject(new RefusedError("the guest refused"));
    }
    this.log.push(`${path}=${text.trim()}`);
    const before = this.contents.get(path) ?? "";
    const word = text.trim();
    this.contents.set(
      path,
      options.append !== true
        ? text
        : word.startsWith("!")
        ? before.split("\n").filter((each) => each !== word.slice(1)).join("\n")
        : before + text,
    );
    return Promise.resolve();
  }
  makeInstance(name: string): Promise<void> {
    this.log.push(`mkdir ${name}`);
    this.guest?.addInstance(name);
    return Promise.resolve();
  }
  removeInstance(name: string): Promise<void> {
    this.log.push(`rmdir ${name}`);
    this.guest?.removeInstance();
    return Promise.resolve();
  }
}

/** A change of a file whose content is known in advance. */
export function fileChange(
  path: string,
  before: string,
  text: string,
): FileChange {
  return {
    way: "tracefs",
    path,
    text,
    append: false,
    before: { known: true, text: before },
  };
}
