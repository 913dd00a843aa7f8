/**
 * Renders tracers' entries whose layout the kernel states in the form of an
 * event's format (system `ftrace`): context switches of the sched tracers, and
 * the samples of the latency tracers (kernel/trace/trace_output.c).
 *
 * @module
 */

import type { EventField } from "../../ftrace/events/formats.ts";
import type { TraceMeta } from "./environment.ts";
import type { RecordBytes } from "./record.ts";

type Render = (record: RecordBytes) => string;
type Read = (name: string) => (record: RecordBytes) => number | bigint;

/** include/linux/sched.h, task_index_to_char. */
const TASK_STATES = "RSDTtXZPI";

/** The letter for the index of a state. */
export function taskState(value: number | bigint): string {
  return TASK_STATES[Number(value)] ?? "?";
}

/** Renderers, by type id, of the entries whose format the guest states. */
export function fieldEntries(
  meta: TraceMeta,
): [number, Render | undefined][] {
  const types = meta.layout.types;
  const make = (id: number, write: (read: Read) => Render) =>
    id < 0 ? undefined : withFields(meta, id, write);
  return [
    [types.ctx, make(types.ctx, (read) => context(meta, read, "==>"))],
    [types.wake, make(types.wake, (read) => context(meta, read, "  +"))],
    [types.hwlat, make(types.hwlat, hwlat)],
    [types.osnoise, make(types.osnoise, osnoise)],
    [types.timerlat, make(types.timerlat, timerlat)],
  ];
}

function withFields(
  meta: TraceMeta,
  id: number,
  write: (read: Read) => Render,
): Render | undefined {
  const format = meta.format(id);
  if (format === undefined) return undefined;
  const fields = new Map(format.fields.map((field) => [field.name, field]));
  let missing = false;
  const render = write((name) => {
    const field = fields.get(name);
    if (field === undefined) {
      missing = true;
      return () => 0;
    }
    return fieldReader(field);
  });
  return missing ? undefined : render;
}

/** Reads an integer field of an entry. */
export function fieldReader(
  field: EventField,
): (record: RecordBytes) => number | bigint {
  const at = field.offset;
  switch (field.size) {
    case 1:
      return (record) => record.u8(at);
    case 2:
      return (record) => record.u16(at);
    case 4:
      return field.signed
        ? (record) => record.s32(at)
        : (record) => record.u32(at);
    default:
      return field.signed
        ? (record) => record.s64(at)
        : (record) => record.u64(at);
  }
}

function pad(value: number | bigint, width: number): string {
  const text = String(value);
  return width < 0 ? text.padEnd(-width) : text.padStart(width);
}

function context(meta: TraceMeta, read: Read, arrow: string): Render {
  const prevPid = read("prev_pid");
  const nextPid = read("next_pid");
  const nextCpu = read("next_cpu");
  const prevPrio = read("prev_prio");
  const prevState = read("prev_state");
  const nextPrio = read("next_prio");
  const nextState = read("next_state");
  return (record) => {
    const pid = Number(nextPid(record)) | 0;
    const comm = pid === 0 ? "<idle>" : meta.comm(pid) ?? "<...>";
    return ` ${pad(Number(prevPid(record)) | 0, 7)}:` +
      `${pad(prevPrio(record), 3)}:${taskState(prevState(record))} ${arrow} ` +
      `[${String(nextCpu(record)).padStart(3, "0")}] ` +
      `${pad(pid, 7)}:${pad(nextPrio(record), 3)}:` +
      `${taskState(nextState(record))} ${comm}\n`;
  };
}

function hwlat(read: Read): Render {
  const seqnum = read("seqnum");
  const duration = read("duration");
  const outer = read("outer_duration");
  const seconds = read("tv_sec");
  const nanoseconds = read("tv_nsec");
  const count = read("count");
  const nmis = read("nmi_count");
  return (record) => {
    let text = `#${pad(seqnum(record), -5)} inner/outer(us): ` +
      `${pad(duration(record), 4)}/${pad(outer(record), -5)} ` +
      `ts:${seconds(record)}.${
        String(nanoseconds(record)).padStart(9, "0")
      } count:${Number(count(record)) | 0}`;
    const nmi = nmis(record);
    if (nmi !== 0) text += ` nmi-count:${nmi}`;
    return text + "\n";
  };
}

function osnoise(read: Read): Render {
  const noise = read("noise");
  const runtime = read("runtime");
  const maxSample = read("max_sample");
  const counts = [
    "hw_count",
    "nmi_count",
    "irq_count",
    "softirq_count",
    "thread_count",
  ].map(read);
  return (record) => {
    const run = BigInt(runtime(record));
    const lost = BigInt(noise(record));
    const ratio = run === 0n
      ? 0n
      : BigInt.asUintN(64, (run - lost) * 10000000n) / run;
    let text = `${run} ${pad(lost, 10)} ${pad(ratio / 100000n, 3)}.` +
      `${String(ratio % 100000n).padStart(5, "0")} ${
        pad(maxSample(record), 7)
      }`;
    for (const count of counts) text += ` ${pad(count(record), 6)}`;
    return text + "\n";
  };
}

function timerlat(read: Read): Render {
  const seqnum = read("seqnum");
  const where = read("context");
  const latency = read("timer_latency");
  const names = ["irq", "thread", "user-ret"];
  return (record) =>
    `#${pad(seqnum(record), -5)} context ` +
    `${(names[Number(where(record))] ?? "").padStart(6)} timer_latency ` +
    `${pad(latency(record), 9)} ns\n`;
}
