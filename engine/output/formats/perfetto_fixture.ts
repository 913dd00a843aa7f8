/**
 * What is in a Perfetto trace, read by the field numbers of the schema
 * (testdata/perfetto.proto), for tests.
 *
 * @module
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** A message: for each field number, its values in order. */
export type Message = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>;

/** Reads a message. */
export function readMessage(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const values = fields.get(field) ?? [];
    fields.set(field, values);
    if (wire === 0) values.push(BigInt(reader.uint64()));
    else if (wire === 2) values.push(reader.bytes());
    else throw new Error(`field ${field} is encoded in a way that is not used`);
  }
  return fields;
}

function numberOf(message: Message, field: number): bigint {
  const value = message.get(field)?.[0] ?? 0n;
  return typeof value === "bigint" ? value : 0n;
}

function textOf(message: Message, field: number): string {
  const value = message.get(field)?.[0];
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : "";
}

function messages(message: Message, field: number): Message[] {
  return (message.get(field) ?? []).flatMap((value) =>
    value instanceof Uint8Array ? [readMessage(value)] : []
  );
}

/** A slice's beginning or end, an instant, or an event of the scheduler. */
export interface Shown {
  readonly what: "begin" | "end" | "instant" | "sched";
  readonly time: bigint;
  /** The name of the track, or the CPU. */
  readonly where: string;
  /** Of which machine it is; 0 if there is only one. */
  readonly machine: number;
  /** Of an end: empty. */
  readonly name: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Everything that a trace shows, in its order; checks that names are known. */
export function readPerfetto(bytes: Uint8Array): Shown[] {
  const tracks = new Map<bigint, string>();
  const sequences = new Map<bigint, Map<bigint, string>[]>();
  const shown: Shown[] = [];
  for (const packet of messages(readMessage(bytes), 1)) {
    const sequence = numberOf(packet, 10);
    const machine = Number(numberOf(packet, 98));
    const known = sequences.get(sequence);
    // The state of each sequence is cleared once, at its beginning.
    if (numberOf(packet, 13) !== (known === undefined ? 1n : 2n)) {
      throw new Error("flags");
    }
    const interned = known ?? [1, 2, 3].map(() => new Map<bigint, string>());
    sequences.set(sequence, interned);
    for (const data of messages(packet, 12)) {
      interned.forEach((names, kind) => {
        for (const entry of messages(data, kind + 1)) {
          if (names.has(numberOf(entry, 1))) throw new Error("told twice");
          names.set(numberOf(entry, 1), textOf(entry, 2));
        }
      });
    }
    const [, names, annotations] = interned;
    for (const track of messages(packet, 60)) {
      tracks.set(numberOf(track, 1), textOf(track, 2));
    }
    for (const event of messages(packet, 11)) {
      const what = (["begin", "end", "instant"] as const)[
        Number(numberOf(event, 9)) - 1
      ];
      const track = tracks.get(numberOf(event, 11));
      const name = what === "end" ? "" : names.get(numberOf(event, 10));
      if (track === undefined || name === undefined) throw new Error("unknown");
      const fields: Record<string, string> = {};
      for (const each of messages(event, 4)) {
        const label = annotations.get(numberOf(each, 1));
        if (label === undefined) throw new Error("unknown annotation");
        fields[label] = each.has(6)
          ? textOf(each, 6)
          : each.has(4)
          ? String(BigInt.asIntN(64, numberOf(each, 4)))
          : String(numberOf(each, each.has(7) ? 7 : 3));
      }
      shown.push({
        what,
        time: numberOf(packet, 8),
        where: track,
        machine,
        name,
        fields,
      });
    }
    for (const bundle of messages(packet, 1)) {
      for (const event of messages(bundle, 2)) {
        const kind = [4, 17, 20, 114].find((field) => event.has(field)) ?? 0;
        const fields: Record<string, string> = {};
        for (const member of messages(event, kind)) {
          for (const [field, [value]] of member) {
            fields[field] = typeof value === "bigint"
              ? String(BigInt.asIntN(64, value))
              : new TextDecoder().decode(value);
          }
        }
        shown.push({
          what: "sched",
          time: numberOf(event, 1),
          where: `CPU ${numberOf(bundle, 1)}${
            numberOf(bundle, 3) === 1n ? " lost" : ""
          }`,
          machine,
          name: String(kind),
          fields,
        });
      }
    }
  }
  return shown;
}
