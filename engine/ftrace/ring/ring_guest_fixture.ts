/**
 * Guests with simulated ring buffers, and checks of what their followers must
 * find.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  FixtureGuest,
  type FixtureGuestOptions,
  type FixtureStruct,
  fixtureTypes,
} from "../../kernel/core/kernel_fixture.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import type { EventColumns, PageArena } from "./columns.ts";
import { RingBuffer } from "./ring_buffer.ts";
import { filler, SIM_TYPE, SimRing } from "./ring_fixture.ts";
import { TraceArray } from "./trace_array.ts";

/** The structures of a ring buffer, for {@linkcode fixtureTypes}. */
export const RING_STRUCTS: Readonly<Record<string, FixtureStruct>> = {
  list_head: { size: 16, members: { next: [0, "u64"], prev: [8, "u64"] } },
  buffer_data_page: {
    size: 24,
    members: { time_stamp: [0, "u64"], commit: [8, "u64"], data: [16, "u8"] },
  },
  buffer_page: {
    size: 64,
    members: {
      list: [0, "list_head"],
      write: [16, "u64"],
      read: [24, "u32"],
      entries: [32, "u64"],
      page: [48, "u64"],
    },
  },
  ring_buffer_per_cpu: {
    size: 136,
    members: {
      cpu: [0, "u32"],
      record_disabled: [4, "u32"],
      nr_pages: [8, "u64"],
      pages: [16, "u64"],
      head_page: [24, "u64"],
      tail_page: [32, "u64"],
      commit_page: [40, "u64"],
      reader_page: [48, "u64"],
      entries: [56, "u64"],
      overrun: [64, "u64"],
      commit_overrun: [72, "u64"],
      dropped_events: [80, "u64"],
      committing: [88, "u64"],
      read: [96, "u64"],
      pages_removed: [104, "u64"],
      resize_disabled: [112, "u32"],
      nr_pages_to_update: [120, "u64"],
      pages_touched: [128, "u64"],
    },
  },
  trace_buffer: {
    size: 32,
    members: { record_disabled: [8, "u32"], buffers: [16, "u64"] },
  },
  array_buffer: {
    size: 32,
    members: {
      buffer: [8, "u64"],
      time_start: [16, "u64"],
      data: [24, "u64"],
    },
  },
  trace_array: {
    size: 128,
    members: {
      list: [0, "list_head"],
      name: [16, "u64"],
      array_buffer: [24, "array_buffer"],
      max_buffer: [56, "array_buffer"],
      buffer_disabled: [88, "u32"],
      current_trace: [96, "u64"],
    },
  },
  tracer: { size: 16, members: { name: [0, "u64"], print_max: [8, "u8"] } },
};

/** Types of a kernel that has a ring buffer. */
export const RING_TYPES = fixtureTypes(RING_STRUCTS);

/** The same for a kernel whose sub-buffers have an order. */
export const ORDER_TYPES = fixtureTypes({
  ...RING_STRUCTS,
  trace_buffer: {
    size: 32,
    members: {
      record_disabled: [8, "u32"],
      subbuf_order: [12, "u32"],
      buffers: [16, "u64"],
    },
  },
});

/** A guest that traces. */
export interface RingGuest {
  readonly guest: FixtureGuest;
  readonly rings: readonly SimRing[];
  readonly buffer: RingBuffer;
  readonly instance: TraceArray;
}

/** Adds a snapshot buffer to a guest; returns its rings, one for each CPU. */
export function addSnapshot(
  { guest, instance }: RingGuest,
  pages: readonly number[],
): SimRing[] {
  const rings = pages.map((count, cpu) => new SimRing(guest, cpu, count));
  const gva = newBuffer(guest, rings);
  const at = guest.at("trace_array", instance.object.gva, "max_buffer.buffer");
  guest.setU64(at, gva);
  return rings;
}

/** Like update_max_tr(): swaps the trace buffer and the snapshot buffer. */
export function swapBuffers({ guest, instance }: RingGuest): void {
  const at = (name: string) =>
    guest.at("trace_array", instance.object.gva, `${name}.buffer`);
  exchange(guest, at("array_buffer"), at("max_buffer"));
}

/** Like ring_buffer_swap_cpu(): swaps the buffers of one CPU. */
export function swapCpu({ guest, instance }: RingGuest, cpu: number): void {
  const of = (name: string) => {
    const buffer = guest.u64(
      guest.at("trace_array", instance.object.gva, `${name}.buffer`),
    );
    const array = guest.u64(guest.at("trace_buffer", buffer, "buffers"));
    return array + BigInt(cpu * 8);
  };
  exchange(guest, of("array_buffer"), of("max_buffer"));
}

function exchange(guest: FixtureGuest, a: bigint, b: bigint): void {
  const before = guest.u64(a);
  guest.setU64(a, guest.u64(b));
  guest.setU64(b, before);
}

/** Creates a `trace_buffer` with these rings. */
function newBuffer(guest: FixtureGuest, rings: readonly SimRing[]): bigint {
  const array = guest.allocate(rings.length * 8);
  rings.forEach((ring, i) => guest.setU64(array + BigInt(i * 8), ring.gva));
  const buffer = guest.create("trace_buffer");
  guest.setU64(guest.at("trace_buffer", buffer, "buffers"), array);
  return buffer;
}

/** Creates a guest with one ring for each CPU, with these numbers of pages. */
export function ringGuest(
  pages: readonly number[],
  options: FixtureGuestOptions & { readonly types?: typeof RING_TYPES } = {},
): RingGuest {
  const guest = new FixtureGuest(options.types ?? RING_TYPES, options);
  const rings = pages.map((count, cpu) => new SimRing(guest, cpu, count));
  const buffer = newBuffer(guest, rings);
  const instance = guest.create("trace_array");
  const at = guest.at("trace_array", instance, "array_buffer.buffer");
  guest.setU64(at, buffer);
  const ids = guest.image();
  guest.setU32(ids, pages.length);
  guest.symbol("nr_cpu_ids", ids);
  return {
    guest,
    rings,
    buffer: new RingBuffer(guest.kernel, buffer),
    instance: new TraceArray(guest.kernel, instance),
  };
}

/** Runs the steps of a guest to their end. */
export function finish<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Writes `count` small events in one go. */
export function writeMany(ring: SimRing, count: number, words = 3): void {
  for (let i = 0; i < count; i++) finish(ring.write({ words }));
}

/**
 * Memory without views in which the guest continues while it is read: `tick` is
 * called before each piece of at most `piece` bytes.
 */
export class RunningMemory extends BufferMemory {
  /** What the guest does meanwhile. */
  tick: () => void = () => {};
  readonly #piece: number;

  constructor(bytes: Uint8Array, piece = 512) {
    super(bytes);
    this.#piece = piece;
  }
  override view(): undefined {
    return undefined;
  }
  override read(gpa: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; at += this.#piece) {
      this.tick();
      super.read(gpa + at, into.subarray(at, at + this.#piece));
    }
  }
}

/**
 * A guest like that of {@linkcode ringGuest}, with a hook (`memory.tick`) that
 * runs before each piece of its memory is read.
 */
export function runningGuest(
  pages: readonly number[],
): { readonly sim: RingGuest; readonly memory: RunningMemory } {
  const memories: RunningMemory[] = [];
  const sim = ringGuest(pages, {
    memory: (bytes) => {
      memories.push(new RunningMemory(bytes));
      return memories[0];
    },
  });
  return { sim, memory: memories[0] };
}

/**
 * Checks that a decoded event is completely as written; returns its sequence
 * number.
 */
export function checkEvent(
  ring: SimRing,
  columns: EventColumns,
  row: number,
  arena: PageArena,
): number {
  const at = columns.offset[row] / 4;
  const sequence = arena.words[at + 2];
  const where = `event ${sequence} in row ${row}`;
  assert.equal(columns.type[row], SIM_TYPE, where);
  assert.ok(sequence < ring.written, where);
  assert.equal(columns.timeAt(row), ring.times[sequence], where);
  assert.equal(columns.pid[row], 100 + sequence % 3, where);
  for (let i = 3; i < columns.size[row] / 4; i++) {
    if (arena.words[at + i] !== filler(sequence, i)) {
      assert.fail(`${where}: word ${i} is not what was written`);
    }
  }
  return sequence;
}
