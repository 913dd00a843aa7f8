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
import { PACKET, Packets, Sequence } from "./perfetto_packets.ts";
import type { TraceMeta } from "../text/environment.ts";
import { FunctionNames, threadName } from "./call_names.ts";
import {
  ANNOTATION,
  eventKind,
  type InstantKind,
  type SchedKind,
  tag,
} from "./perfetto_events.ts";

const TRACK_EVENT = {
  categoryIids: 3,
  debugAnnotations: 4,
  type: 9,
  nameIid: 10,
  trackUuid: 11,
} as const;
const TYPE = { begin: 1, end: 2, instant: 3 } as const;
const DESCRIPTOR = { uuid: 1, name: 2, thread: 4 } as const;
const BUNDLE = { cpu: 1, event: 2, lost: 3 } as const;

/**
 * Tracks of threads of one guest: it may invent any number of them. The others
 * share one, on which calls could not be told apart.
 */
const MOST_TRACKS = 1 << 16;

/** A trace for Perfetto. */
export const PERFETTO: TraceFormat = {
  name: "perfetto",
  about: "a trace for ui.perfetto.dev",
  binary: true,
  writer: (sink) => new PerfettoWriter(sink, MOST_TRACKS),
};

/** One guest. */
class Guest {
  readonly source: TraceSource;
  readonly sequence: Sequence;
  /** Whether it was said how well its times are known, and if it is sealed. */
  told = false;
  /** The track of the threads that have none of their own. */
  others: number | undefined;
  /** Their calls, which are left out. */
  leftOut = 0;
  readonly calls: OpenCalls;
  readonly names: FunctionNames;
  /** Tracks of threads by pid, and of idle threads by `-1 - CPU`. */
  readonly tracks = new Map<number, number>();
  readonly events = new Map<number, InstantKind | SchedKind | undefined>();
  /** CPUs of which events are missing before the next one. */
  readonly lossy = new Set<number>();
  /** Tracks of CPUs on which losses are shown. */
  readonly lossTracks = new Map<number, number>();

  constructor(source: TraceSource, sequence: Sequence, visitor: CallVisitor) {
    this.source = source;
    this.sequence = sequence;
    this.calls = new OpenCalls(visitor);
    this.names = new FunctionNames(source, this.calls.functions);
  }
}

/** Writes a trace; `mostTracks` is lower in tests. */
export class PerfettoWriter implements TraceWriter {
  readonly #mostTracks: number;
  readonly #packets: Packets;
  readonly #guests = new Map<TraceSource, Guest>();
  #uuid = 0;
  #epoch = 0n;
  #guest: Guest | undefined;

  constructor(sink: OutputSink, mostTracks: number) {
    this.#mostTracks = mostTracks;
    this.#packets = new Packets(sink);
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    // Instances of one guest are of one machine.
    const machines = new Map<TraceMeta, Sequence>();
    const several = new Set(sources.map(({ meta }) => meta)).size > 1;
    for (const source of sources) {
      let sequence = machines.get(source.meta);
      if (sequence === undefined) {
        const id = machines.size + 1;
        sequence = new Sequence(id, several ? id : 0);
        machines.set(source.meta, sequence);
      }
      this.#guests.set(
        source,
        new Guest(source, sequence, {
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
    this.#tellAbout(guest, columns.ts[from]);
    for (let row = from; row < to; row++) {
      if (columns.kind[row] !== KIND.other) {
        guest.calls.take(columns, row, row + 1);
      } else this.#event(guest, run, row);
    }
  }

  leftOut(): readonly string[] {
    const calls = [...this.#guests.values()]
      .reduce((sum, { leftOut }) => sum + leftOut, 0);
    return calls === 0 ? [] : [
      `calls of further threads, which have no track of their own, are left out: ${
        calls.toLocaleString("en-US")
      }`,
    ];
  }

  /** Says once how well a guest's times are known, and whether it is sealed. */
  #tellAbout(guest: Guest, ts: number): void {
    if (guest.told) return;
    guest.told = true;
    const { aligned, seal } = guest.source;
    if (aligned !== undefined) {
      this.#tell(guest, ts, "clock", `times of ${aligned.clock}`, [
        ["error_ns", aligned.errorNs ?? "not known"],
        ["torn_spans", aligned.torn.length],
      ]);
    }
    if (seal !== undefined) {
      this.#tell(guest, ts, "seal", `seal: ${seal.kind}`, [
        ["verdict", seal.text],
      ]);
    }
  }

  /** An instant on a track of its own. */
  #tell(
    guest: Guest,
    ts: number,
    track: string,
    name: string,
    values: readonly (readonly [string, number | string])[],
  ): void {
    const { annotations, names } = guest.sequence;
    const fresh: BinaryWriter[] = [];
    const uuid = ++this.#uuid;
    this.#describe(guest, uuid, `${guest.source.target ?? "-"} ${track}`);
    const event = new BinaryWriter()
      .uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.instant)
      .uint32(tag(TRACK_EVENT.nameIid, 0)).uint32(names.id(name, fresh))
      .uint32(tag(TRACK_EVENT.trackUuid, 0)).uint32(uuid);
    for (const [key, value] of values) {
      const annotation = new BinaryWriter()
        .uint32(tag(ANNOTATION.nameIid, 0)).uint32(annotations.id(key, fresh));
      if (typeof value === "string") {
        annotation.uint32(tag(ANNOTATION.string, 2)).string(value);
      } else annotation.uint32(tag(ANNOTATION.uint, 0)).uint64(BigInt(value));
      event.uint32(tag(TRACK_EVENT.debugAnnotations, 2))
        .bytes(annotation.finish());
    }
    this.#trackEvent(guest, this.#time(ts), event, fresh);
  }

  lost({ source, cpu, count, before }: Loss): void {
    const guest = this.#guests.get(source)!;
    guest.lossy.add(cpu);
    const fresh: BinaryWriter[] = [];
    const event = new BinaryWriter();
    if (count >= 0) {
      const annotation = new BinaryWriter()
        .uint32(tag(ANNOTATION.nameIid, 0))
        .uint32(guest.sequence.annotations.id("count", fresh))
        .uint32(tag(ANNOTATION.uint, 0)).uint64(BigInt(count));
      event.uint32(tag(TRACK_EVENT.debugAnnotations, 2))
        .bytes(annotation.finish());
    }
    event.uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.instant)
      .uint32(tag(TRACK_EVENT.nameIid, 0))
      .uint32(guest.sequence.names.id("events lost", fresh))
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#lossTrack(guest, cpu));
    this.#trackEvent(guest, BigInt.asUintN(64, before), event, fresh);
  }

  flush(): void {
    this.#packets.flush();
  }

  end(): void {
    for (const guest of this.#guests.values()) {
      this.#guest = guest;
      guest.calls.end();
    }
    this.#packets.flush();
  }

  #entered(task: OpenTask, ts: number): void {
    const guest = this.#guest!;
    const track = this.#track(guest, task.pid, task.cpu);
    if (track === guest.others) {
      guest.leftOut++;
      return;
    }
    const fresh: BinaryWriter[] = [];
    const name = guest.names.at(task.func[task.open - 1]);
    const event = new BinaryWriter()
      .uint32(tag(TRACK_EVENT.categoryIids, 0))
      .uint32(guest.sequence.categories.id("function_graph", fresh))
      .uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.begin)
      .uint32(tag(TRACK_EVENT.nameIid, 0)).uint32(
        guest.sequence.names.id(name, fresh),
      )
      .uint32(tag(TRACK_EVENT.trackUuid, 0)).uint32(track);
    this.#trackEvent(guest, this.#time(ts), event, fresh);
  }

  #left(task: OpenTask, ts: number): void {
    const guest = this.#guest!;
    const track = this.#track(guest, task.pid, task.cpu);
    if (track === guest.others) return;
    const event = new BinaryWriter()
      .uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.end)
      .uint32(tag(TRACK_EVENT.trackUuid, 0)).uint32(track);
    this.#trackEvent(guest, this.#time(ts), event, []);
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
        .uint32(guest.sequence.categories.id(kind.category, fresh));
      for (const field of kind.fields) {
        const annotation = new BinaryWriter()
          .uint32(tag(ANNOTATION.nameIid, 0))
          .uint32(guest.sequence.annotations.id(field.name, fresh));
        field.write(run, row, annotation);
        event.uint32(tag(TRACK_EVENT.debugAnnotations, 2))
          .bytes(annotation.finish());
      }
    }
    event.uint32(tag(TRACK_EVENT.type, 0)).uint32(TYPE.instant)
      .uint32(tag(TRACK_EVENT.nameIid, 0)).uint32(
        guest.sequence.names.id(name, fresh),
      )
      .uint32(tag(TRACK_EVENT.trackUuid, 0))
      .uint32(this.#track(guest, pid, cpu));
    this.#trackEvent(guest, this.#time(ts), event, fresh);
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
    this.#packets.add(
      guest.sequence,
      (packet) =>
        packet.uint32(tag(PACKET.ftraceEvents, 2)).bytes(bundle.finish()),
    );
  }

  /** The track of a thread, which is described when it is first used. */
  #track(guest: Guest, pid: number, cpu: number): number {
    const key = pid === 0 ? -1 - cpu : pid;
    const known = guest.tracks.get(key);
    if (known !== undefined) return known;
    if (guest.tracks.size >= this.#mostTracks) return this.#othersTrack(guest);
    const uuid = ++this.#uuid;
    guest.tracks.set(key, uuid);
    const { source } = guest;
    // Idle threads all have pid 0, and two instances of one guest the same
    // threads: those are tracks without a thread.
    const thread = pid > 0 && (this.#guests.size === 1 ||
        guest.sequence.machine > 0)
      ? new BinaryWriter()
        .uint32(tag(1, 0)).int32(source.meta.tgid(pid) || pid)
        .uint32(tag(2, 0)).int32(pid)
        .uint32(tag(5, 2)).string(source.meta.comm(pid) ?? "<...>")
      : undefined;
    this.#describe(
      guest,
      uuid,
      this.#whose(guest) + threadName(source, pid, cpu),
      thread,
    );
    return uuid;
  }

  #othersTrack(guest: Guest): number {
    if (guest.others === undefined) {
      guest.others = ++this.#uuid;
      this.#describe(guest, guest.others, `${this.#whose(guest)}other threads`);
    }
    return guest.others;
  }

  #lossTrack(guest: Guest, cpu: number): number {
    const known = guest.lossTracks.get(cpu);
    if (known !== undefined) return known;
    const uuid = ++this.#uuid;
    guest.lossTracks.set(cpu, uuid);
    this.#describe(guest, uuid, `${this.#whose(guest)}CPU ${cpu}: events lost`);
    return uuid;
  }

  /** The guest's name, if there are several. */
  #whose({ source }: Guest): string {
    return this.#guests.size > 1 ? `${source.target ?? "-"} ` : "";
  }

  #describe(
    { sequence }: Guest,
    uuid: number,
    name: string,
    thread?: BinaryWriter,
  ): void {
    const descriptor = new BinaryWriter()
      .uint32(tag(DESCRIPTOR.uuid, 0)).uint32(uuid)
      .uint32(tag(DESCRIPTOR.name, 2)).string(name);
    if (thread !== undefined) {
      descriptor.uint32(tag(DESCRIPTOR.thread, 2)).bytes(thread.finish());
    }
    this.#packets.add(
      sequence,
      (packet) =>
        packet.uint32(tag(PACKET.trackDescriptor, 2)).bytes(
          descriptor.finish(),
        ),
    );
  }

  #trackEvent(
    { sequence }: Guest,
    time: bigint,
    event: BinaryWriter,
    fresh: readonly BinaryWriter[],
  ): void {
    this.#packets.add(sequence, (packet) => {
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
}
