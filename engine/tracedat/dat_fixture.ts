/**
 * Small files of trace-cmd for tests, of every kind: two versions, two byte
 * orders, two sizes of `long`.
 *
 * @module
 */
import { type ByteSink, composeDat, cpuKey } from "./dat_compose.ts";
import { datBytes } from "./dat_file.ts";
import { DatPagesWriter } from "./dat_pages_writer.ts";
import { DatSpool } from "./dat_spool.ts";
import { DatTrace } from "./dat_trace.ts";
import { formatFileText } from "./format_file.ts";

/** The kind of a file. */
export interface DatKind {
  readonly version: 6 | 7;
  readonly little: boolean;
  readonly longSize: 4 | 8;
}

/** Every kind of file. */
export const DAT_KINDS: readonly DatKind[] = ([6, 7] as const).flatMap((
  version,
) =>
  [true, false].flatMap((little) =>
    ([4, 8] as const).map((longSize) => ({ version, little, longSize }))
  )
);

/** A kind as a name of a test. */
export function kindName({ version, little, longSize }: DatKind): string {
  return `v${version}, ${little ? "little" : "big"}-endian, ${
    8 * longSize
  } bits`;
}

/** Fields of an event, without the common ones: name, type, bytes. */
type Declared = readonly [name: string, type: string, size: number];

/** An event that the files have a format of. */
export interface DatEventKind {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  readonly fields: readonly Declared[];
  readonly printFmt: string;
}

/** The formats in the files, for a size of `long`. */
export function datEvents(long: number): readonly DatEventKind[] {
  return [
    {
      id: 11,
      system: "ftrace",
      name: "funcgraph_entry",
      fields: [["func", "unsigned long", long], ["depth", "int", 4]],
      printFmt: '"--> %ps (%d)", (void *)REC->func, REC->depth',
    },
    {
      id: 10,
      system: "ftrace",
      name: "funcgraph_exit",
      fields: [
        ["func", "unsigned long", long],
        ["depth", "int", 4],
        ["overrun", "unsigned int", 4],
        ["calltime", "unsigned long long", 8],
        ["rettime", "unsigned long long", 8],
      ],
      printFmt: '"<-- %ps", (void *)REC->func',
    },
    {
      id: 316,
      system: "sched",
      name: "sched_wakeup",
      fields: [
        ["comm", "char[16]", 16],
        ["pid", "pid_t", 4],
        ["prio", "int", 4],
        ["target_cpu", "int", 4],
      ],
      printFmt:
        '"comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu',
    },
    {
      id: 700,
      system: "test",
      name: "numbers",
      fields: [
        ["small", "u8", 1],
        ["half", "s16", 2],
        ["flags", "unsigned int", 4],
        ["wide", "u64", 8],
        ["text", "__data_loc char[]", 4],
      ],
      printFmt:
        '"%u %d %s 0x%llx %s", REC->small, REC->half, __print_flags(REC->flags, "|", { 1, "A" }, { 2, "B" }), (unsigned long long)REC->wide, __get_str(text)',
    },
  ];
}

/** Writes entries. */
class Entry {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #little: boolean;
  size = 0;

  constructor(little: boolean, type: number, pid: number) {
    this.#little = little;
    this.number(2, type).number(2, 0).number(4, pid);
  }

  number(size: number, value: number | bigint): this {
    // Numbers are aligned like the members of a struct.
    const at = Math.ceil(this.size / size) * size;
    if (size === 8) this.#view.setBigUint64(at, BigInt(value), this.#little);
    else if (size === 4) this.#view.setUint32(at, Number(value), this.#little);
    else if (size === 2) this.#view.setUint16(at, Number(value), this.#little);
    else this.#view.setUint8(at, Number(value));
    this.size = at + size;
    return this;
  }

  text(text: string, size: number): this {
    this.bytes.set(new TextEncoder().encode(text).slice(0, size), this.size);
    this.size += size;
    return this;
  }
}

const START = 5_000_000_000_000n;
const FUNCTION = 0xc0100000;

/**
 * A file with two CPUs and an instance: a call with a leaf in it, other events,
 * a loss, an event a minute later, and one without a format.
 *
 * @param buffers the names of the top level and the instance
 */
export function datFile(
  kind: DatKind,
  buffers: readonly string[] = ["", "other"],
): Uint8Array<ArrayBuffer> {
  const { little, longSize } = kind;
  const pageSize = 4096;
  const address = (offset: number) =>
    longSize === 8
      ? 0xffffffff00000000n + BigInt(FUNCTION + offset)
      : BigInt(FUNCTION + offset);
  using spool = new DatSpool(pageSize, kind.version === 7);
  const pages = [cpuKey(0, 0), cpuKey(0, 1), cpuKey(1, 1)].map((key) =>
    new DatPagesWriter(
      { pageSize, longSize, little },
      (page) => spool.add(key, page),
    )
  );
  const add = (cpu: number, ts: number, entry: Entry) =>
    pages[cpu].add(START, ts, entry.bytes, 0, entry.size);
  const enter = (offset: number, depth: number) =>
    new Entry(little, 11, 7).number(longSize, address(offset)).number(4, depth);
  const leave = (offset: number, depth: number, from: number, to: number) =>
    new Entry(little, 10, 7).number(longSize, address(offset)).number(4, depth)
      .number(4, 0).number(8, from).number(8, to);
  const wakeup = (pid: number, comm: string) =>
    new Entry(little, 316, 0).text(comm, 16).number(4, pid).number(4, 120)
      .number(4, 1);
  add(0, 0, enter(0, 0));
  add(0, 1000, enter(0x10, 1));
  add(0, 3500, leave(0x10, 1, 1000, 3400));
  add(1, 2000, wakeup(9, "sh"));
  add(0, 9000, leave(0, 0, 0, 8000));
  pages[0].lost(3);
  const numbers = new Entry(little, 700, 9).number(1, 200).number(2, 0xfffe)
    .number(4, 3).number(8, 0x1234_5678_9abc_def0n);
  numbers.number(4, 6 << 16 | numbers.size + 4).text("hello", 6);
  add(0, 60_000_000_000, numbers);
  add(1, 60_000_000_500, new Entry(little, 999, 9).number(4, 1));
  add(2, 60_000_000_600, wakeup(7, "worker"));
  for (const each of pages) each.end();
  spool.end();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const sink: ByteSink = (bytes) => parts.push(bytes.slice());
  composeDat(
    {
      ...kind,
      pageSize,
      formats: datEvents(longSize).map((event) => ({
        system: event.system,
        text: formatFileText({ ...event, fields: placed(event.fields) }),
      })),
      kallsyms: ascii(
        [0, 0x10, 0x20].map((offset, i) =>
          `${address(offset).toString(16)} t function_${i}\n`
        ).join(""),
      ),
      printk: ascii(`0x${address(0x30).toString(16)} : "said %d\\n"\n`),
      cmdlines: ascii("7 bash\n"),
      clock: "[local] global",
      cpuCount: 2,
      uname: "Linux host 6.1.0 test",
      writer: "test",
      buffers,
    },
    spool,
    sink,
  );
  const all = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function placed(fields: readonly Declared[]) {
  let at = 8;
  return fields.map(([name, type, size]) => {
    const to = type.startsWith("char[") ? 1 : size;
    const offset = Math.ceil(at / to) * to;
    at = offset + size;
    const signed = /^(?:int|pid_t|s\d+)$/.test(type);
    return { name, type, offset, size, signed };
  });
}

/** Opens such a file. */
export function openDatBytes(bytes: Uint8Array<ArrayBuffer>): DatTrace {
  return new DatTrace(datBytes("test.dat", bytes));
}
