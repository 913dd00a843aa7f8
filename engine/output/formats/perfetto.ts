/**
 * The format `perfetto`: a trace for ui.perfetto.dev and trace_processor. Calls
 * of functions are slices on the tracks of threads; scheduling is passed on as
 * the events from which Perfetto makes the states of threads and the tracks of
 * CPUs; all other events are instants on the tracks of threads, with their
 * fields.
 *
 * Field numbers are those of Perfetto's published schema (protos/perfetto/trace
 * of github.com/google/perfetto); the part that is used is in
 * testdata/perfetto.proto.
 *
 * @module
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  type CallVisitor,
  OpenCalls,
  type OpenTask,
} from "../../ftrace/graph/open_calls.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceWriter,
} from "../writer.ts";
import { FunctionNames, threadName } from "./call_names.ts";
import {
  ANNOTATION,
  eventKind,
  type InstantKind,
  InternedNames,
  type SchedKind,
  tag,
} from "./perfetto_events.ts";

/** Bytes are passed on in pieces of about this size. */
const CHUNK = 65536;
const PACKET = {
  ftraceEvents: 1,
  timestamp: 8,
  sequenceId: 10,
  trackEvent: 11,
  internedData: 12,
  sequenceFlags: 13,
  trackDescriptor: 60,
  firstPacket: 87,
} as const;
const TRACK_EVENT = {
  categoryIids: 3,
  debugAnnotations: 4,
  type: 9,
  nameIid: 10,
  trackUuid: 11,
} as const;
const TYPE = { begin: 1, end: 2, instant: 3 } as const;
const INTERNED = { categories: 1, names: 2, annotations: 3 } as const;
const DESCRIPTOR = { uuid: 1, name: 2, thread: 4 } as const;
const BUNDLE = { cpu: 1, event: 2, lost: 3 } as const;
const SEQUENCE = 1;
const STATE_CLEARED = 1;
const NEEDS_STATE = 2;

/** A trace for Perfetto. */
export const PERFETTO: TraceFormat = {
  name: "perfetto",
  about: "a trace for ui.perfetto.dev",
  binary: true,
  writer: (sink) => new PerfettoWriter(sink),
};

/** One guest. */
class Guest {
  readonly source: TraceSource;
  readonly calls: OpenCalls;
  readonly names: FunctionNames;
  /** Tracks of threads by pid, and of idle threads by `-1 - CPU`. */
  readonly tracks = new Map<number, number>();
  readonly events = new Map<number, InstantKind | SchedKind | undefined>();
  /** CPUs of which events are missing before the next one. */
  readonly lossy = new Set<number>();
  /** Tracks of CPUs on which losses are shown. */
  readonly lossTracks = new Map<number, number>();

  constructor(source: TraceSource, visitor: CallVisitor) {
    this.source = source;
    this.calls = new OpenCalls(visitor);
    this.names = new FunctionNames(source, this.calls.functions);
  }
}

class PerfettoWriter implements TraceWriter {
  readonly #sink: OutputSink;
  readonly #guests = new Map<TraceSource, Guest>();
  readonly #names = new InternedNames(INTERNED.names);
  readonly #categories = new InternedNames(INTERNED.categories);
  readonly #annotations = new InternedNames(INTERNED.annotations);
  #out = new BinaryWriter();
  #size = 0;
  #started = false;
  #uuid = 0;
  #epoch = 0n;
  #guest: Guest | undefined;

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    for (const source of sources) {
      this.#guests.set(
        source,
        new Guest(source, {
          entered: (task, ts) => this.#entered(task, ts),
          left: (task, ts) => this.#left(task, ts),
        }),
      );
    }
  }

  events(run: EventRun): void {
    const { source, columns, from, to } = run;
    const guest = this.#guest = this.#guests.get(source)!;
    this.#epoch = columns.epoch;
    for (let row = from; row < to; row++) {
      if (columns.kind[row] !== KIND.other) {
        guest.calls.take(columns, row, row + 1);
      } else this.#event(guest, run, row);
    }
  }

  lost({ source, cpu, count, before }: Loss): void {
    const guest = this.#guests.get(source)!;
    guest.lossy.add(cpu);
    const fresh: BinaryWriter[] = [];
    const event = new BinaryWriter();
    if (count >= 0) {
      const annotation = new BinaryWriter()
        .uint32(tag(ANNOTATION.nameIid, 0))
        .uint32(this.#annotations.id("count", fresh))
        .uint32(tag(ANNOTATION.uint, 0)).uint64(BigInt(count));
      event.uint32(tag(TRACK_EVENT.debugAnnotations, 2))
        .bytes(annotation.finish());
    }
    event.uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.instant)
      .uint32(tag(TRACK_EVENT.nameIid, 0))
      .uint32(this.#names.id("events lost", fresh))
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#lossTrack(guest, cpu));
    this.#trackEvent(BigInt.asUintN(64, before), event, fresh);
  }

  flush(): void {
    this.#passOn();
  }

  end(): void {
    for (const guest of this.#guests.values()) {
      this.#guest = guest;
      guest.calls.end();
    }
    this.#passOn();
  }

  #entered(task: OpenTask, ts: number): void {
    const guest = this.#guest!;
    const fresh: BinaryWriter[] = [];
    const name = guest.names.at(task.func[task.open - 1]);
    const event = new BinaryWriter()
      .uint32(tag(TRACK_EVENT.categoryIids, 0))
      .uint32(this.#categories.id("function_graph", fresh))
      .uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.begin)
      .uint32(tag(TRACK_EVENT.nameIid, 0)).uint32(this.#names.id(name, fresh))
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#track(guest, task.pid, task.cpu));
    this.#trackEvent(this.#time(ts), event, fresh);
  }

  #left(task: OpenTask, ts: number): void {
    const event = new BinaryWriter()
      .uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.end)
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#track(this.#guest!, task.pid, task.cpu));
    this.#trackEvent(this.#time(ts), event, []);
  }

  #event(guest: Guest, run: EventRun, row: number): void {
    const { columns } = run;
    const type = columns.type[row];
    let kind = guest.events.get(type);
    if (kind === undefined && !guest.events.has(type)) {
      kind = eventKind(guest.source, type);
      guest.events.set(type, kind);
    }
    const cpu = columns.cpu[row];
    const pid = columns.pid[row];
    const ts = columns.ts[row];
    if (kind !== undefined && "members" in kind) {
      this.#sched(guest, kind, run, row);
      return;
    }
    const fresh: BinaryWriter[] = [];
    const name = kind?.name ?? `event ${type}`;
    const event = new BinaryWriter();
    if (kind !== undefined) {
      event.uint32(tag(TRACK_EVENT.categoryIids, 0))
        .uint32(this.#categories.id(kind.category, fresh));
      for (const field of kind.fields) {
        const annotation = new BinaryWriter()
          .uint32(tag(ANNOTATION.nameIid, 0))
          .uint32(this.#annotations.id(field.name, fresh));
        field.write(run, row, annotation);
        event.uint32(tag(TRACK_EVENT.debugAnnotations, 2))
          .bytes(annotation.finish());
      }
    }
    event.uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.instant)
      .uint32(tag(TRACK_EVENT.nameIid, 0)).uint32(this.#names.id(name, fresh))
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#track(guest, pid, cpu));
    this.#trackEvent(this.#time(ts), event, fresh);
  }

  /** An event of the scheduler, in a bundle of its CPU. */
  #sched(guest: Guest, kind: SchedKind, run: EventRun, row: number): void {
    const { columns } = run;
    const cpu = columns.cpu[row];
    const members = new BinaryWriter();
    for (const member of kind.members) member(run, row, members);
    const event = new BinaryWriter()
      .uint32(tag(1, 0)).uint64(this.#time(columns.ts[row]))
      .uint32(tag(2, 0)).uint32(columns.pid[row] >>> 0)
      .uint32(tag(kind.field, 2)).bytes(members.finish());
    const bundle = new BinaryWriter().uint32(tag(BUNDLE.cpu, 0)).uint32(cpu)
      .uint32(tag(BUNDLE.event, 2)).bytes(event.finish());
    if (guest.lossy.delete(cpu)) {
      bundle.uint32(tag(BUNDLE.lost, 0)).bool(true);
    }
    this.#packet((packet) =>
      packet.uint32(tag(PACKET.ftraceEvents, 2)).bytes(bundle.finish())
    );
  }

  /** The track of a thread, which is described when it is first used. */
  #track(guest: Guest, pid: number, cpu: number): number {
    const key = pid === 0 ? -1 - cpu : pid;
    const known = guest.tracks.get(key);
    if (known !== undefined) return known;
    const uuid = ++this.#uuid;
    guest.tracks.set(key, uuid);
    const { source } = guest;
    // Threads of several guests may have the same pids, and idle threads all
    // have 0: those are tracks without a thread.
    const thread = pid > 0 && this.#guests.size === 1
      ? new BinaryWriter()
        .uint32(tag(1, 0)).int32(source.meta.tgid(pid) || pid)
        .uint32(tag(2, 0)).int32(pid)
        .uint32(tag(5, 2)).string(source.meta.comm(pid) ?? "<...>")
      : undefined;
    this.#describe(
      uuid,
      this.#whose(guest) + threadName(source, pid, cpu),
      thread,
    );
    return uuid;
  }

  #lossTrack(guest: Guest, cpu: number): number {
    const known = guest.lossTracks.get(cpu);
    if (known !== undefined) return known;
    const uuid = ++this.#uuid;
    guest.lossTracks.set(cpu, uuid);
    this.#describe(uuid, `${this.#whose(guest)}CPU ${cpu}: events lost`);
    return uuid;
  }

  /** The guest's name, if there are several. */
  #whose({ source }: Guest): string {
    return this.#guests.size > 1 ? `${source.target ?? "-"} ` : "";
  }

  #describe(uuid: number, name: string, thread?: BinaryWriter): void {
    const descriptor = new BinaryWriter()
      .uint32(tag(DESCRIPTOR.uuid, 0)).uint32(uuid)
      .uint32(tag(DESCRIPTOR.name, 2)).string(name);
    if (thread !== undefined) {
      descriptor.uint32(tag(DESCRIPTOR.thread, 2)).bytes(thread.finish());
    }
    this.#packet((packet) =>
      packet.uint32(tag(PACKET.trackDescriptor, 2)).bytes(descriptor.finish())
    );
  }

  #trackEvent(
    time: bigint,
    event: BinaryWriter,
    fresh: readonly BinaryWriter[],
  ): void {
    this.#packet((packet) => {
      packet.uint32(tag(PACKET.timestamp, 0)).uint64(time);
      packet.uint32(tag(PACKET.trackEvent, 2)).bytes(event.finish());
      if (fresh.length === 0) return;
      const names = new BinaryWriter();
      for (const each of fresh) names.raw(each.finish());
      packet.uint32(tag(PACKET.internedData, 2)).bytes(names.finish());
    });
  }

  /** A time as an unsigned number; exact also where a Number is not. */
  #time(ts: number): bigint {
    return BigInt.asUintN(64, this.#epoch + BigInt(Math.round(ts)));
  }

  #packet(fill: (packet: BinaryWriter) => void): void {
    const packet = new BinaryWriter();
    fill(packet);
    packet.uint32(tag(PACKET.sequenceId, 0)).uint32(SEQUENCE)
      .uint32(tag(PACKET.sequenceFlags, 0))
      .uint32(this.#started ? NEEDS_STATE : STATE_CLEARED);
    if (!this.#started) packet.uint32(tag(PACKET.firstPacket, 0)).bool(true);
    this.#started = true;
    const bytes = packet.finish();
    this.#out.uint32(tag(1, 2)).bytes(bytes);
    this.#size += bytes.length;
    if (this.#size >= CHUNK) this.#passOn();
  }

  #passOn(): void {
    if (this.#size === 0) return;
    this.#sink(new Uint8Array(this.#out.finish()));
    this.#out = new BinaryWriter();
    this.#size = 0;
  }
}
