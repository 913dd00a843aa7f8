/**
 * The packets of a Perfetto trace, each of a sequence, and passed on in pieces.
 *
 * @module
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { OutputSink } from "../writer.ts";
import { InternedNames, tag } from "./perfetto_events.ts";

/** Bytes are passed on in pieces of about this size. */
const CHUNK = 65536;
/** Fields of a packet. */
export const PACKET = {
  ftraceEvents: 1,
  timestamp: 8,
  sequenceId: 10,
  trackEvent: 11,
  internedData: 12,
  sequenceFlags: 13,
  trackDescriptor: 60,
  firstPacket: 87,
  machineId: 98,
} as const;
const INTERNED = { categories: 1, names: 2, annotations: 3 } as const;
const STATE_CLEARED = 1;
const NEEDS_STATE = 2;

/**
 * The packets of one machine. Each has names of its own, and threads and CPUs
 * that have the numbers of another one's.
 */
export class Sequence {
  readonly id: number;
  /** 0 if there is only one. */
  readonly machine: number;
  readonly names = new InternedNames(INTERNED.names);
  readonly categories = new InternedNames(INTERNED.categories);
  readonly annotations = new InternedNames(INTERNED.annotations);
  started = false;

  constructor(id: number, machine: number) {
    this.id = id;
    this.machine = machine;
  }
}

/** Writes packets. */
export class Packets {
  readonly #sink: OutputSink;
  #out = new BinaryWriter();
  #size = 0;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  /** Adds a packet of a sequence. */
  add(sequence: Sequence, fill: (packet: BinaryWriter) => void): void {
    const packet = new BinaryWriter();
    fill(packet);
    packet.uint32(tag(PACKET.sequenceId, 0)).uint32(sequence.id)
      .uint32(tag(PACKET.sequenceFlags, 0))
      .uint32(sequence.started ? NEEDS_STATE : STATE_CLEARED);
    if (!sequence.started) packet.uint32(tag(PACKET.firstPacket, 0)).bool(true);
    if (sequence.machine > 0) {
      packet.uint32(tag(PACKET.machineId, 0)).uint32(sequence.machine);
    }
    sequence.started = true;
    const bytes = packet.finish();
    this.#out.uint32(tag(1, 2)).bytes(bytes);
    this.#size += bytes.length;
    if (this.#size >= CHUNK) this.flush();
  }

  /** Passes on what was added. */
  flush(): void {
    if (this.#size === 0) return;
    this.#sink(new Uint8Array(this.#out.finish()));
    this.#out = new BinaryWriter();
    this.#size = 0;
  }
}
