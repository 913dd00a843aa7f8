/**
 * Files of trace-cmd of any length, to see that what reads and writes traces
 * needs no more memory for a long one: calls of functions, switches of the
 * scheduler and system calls, on four CPUs.
 *
 * @module
 */
import { type ByteSink, composeDat, cpuKey } from "./dat_compose.ts";
import { DatPagesWriter } from "./dat_pages_writer.ts";
import { DatSpool } from "./dat_spool.ts";
import { formatFileText } from "./format_file.ts";

const PAGE = 4096;
const CPUS = 4;
const THREADS = 200;
const FUNCTIONS = 500;
/** The deepest that calls are nested. */
const DEEPEST = 12;
const START = 5_000_000_000_000n;
/** The low half of the first function's address; they are 16 bytes apart. */
const FIRST_FUNCTION = 0x81000000;
const ID = { exit: 10, entry: 11, switch: 316, read: 700, wasRead: 701 };

type Declared = readonly [name: string, type: string, size: number];

/** The formats of the events in the file. */
const FORMATS: readonly {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  readonly fields: readonly Declared[];
}[] = [
  {
    id: ID.entry,
    system: "ftrace",
    name: "funcgraph_entry",
    fields: [["func", "unsigned long", 8], ["depth", "int", 4]],
  },
  {
    id: ID.exit,
    system: "ftrace",
    name: "funcgraph_exit",
    fields: [
      ["func", "unsigned long", 8],
      ["depth", "int", 4],
      ["overrun", "unsigned int", 4],
      ["calltime", "unsigned long long", 8],
      ["rettime", "unsigned long long", 8],
    ],
  },
  {
    id: ID.switch,
    system: "sched",
    name: "sched_switch",
    fields: [
      ["prev_comm", "char[16]", 16],
      ["prev_pid", "pid_t", 4],
      ["prev_prio", "int", 4],
      ["prev_state", "long", 8],
      ["next_comm", "char[16]", 16],
      ["next_pid", "pid_t", 4],
      ["next_prio", "int", 4],
    ],
  },
  {
    id: ID.read,
    system: "syscalls",
    name: "sys_enter_read",
    fields: [
      ["__syscall_nr", "int", 4],
      ["fd", "unsigned int", 8],
      ["buf", "char *", 8],
      ["count", "size_t", 8],
    ],
  },
  {
    id: ID.wasRead,
    system: "syscalls",
    name: "sys_exit_read",
    fields: [["__syscall_nr", "int", 4], ["ret", "long", 8]],
  },
];

/** Numbers that look like chance, the same ones each time. */
class Chance {
  #state = 1;

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state % 65536 * limit >>> 16;
  }
}

/** Writes the events of one CPU. */
class Cpu {
  readonly #pages: DatPagesWriter;
  readonly #bytes = new Uint8Array(64);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #chance: Chance;
  /** For each thread of this CPU: the functions that it is in, and since when. */
  readonly #open: { func: number; since: number }[][] = [];
  readonly #first: number;
  #thread = 0;
  #reads = false;
  now: number;

  constructor(cpu: number, pages: DatPagesWriter, chance: Chance) {
    this.#pages = pages;
    this.#chance = chance;
    this.#first = cpu * THREADS / CPUS;
    this.now = cpu;
    for (let i = 0; i < THREADS / CPUS; i++) this.#open.push([]);
  }

  /** Writes one event. */
  step(): void {
    this.now += 200 + this.#chance.below(900);
    const open = this.#open[this.#thread];
    const what = this.#chance.below(100);
    if (what < 8) this.#switch();
    else if (what < 14) this.#syscall();
    else if (
      open.length > 0 && (open.length === DEEPEST || what % 2 === 0)
    ) this.#leave(open);
    else this.#enter(open);
  }

  end(): void {
    this.#pages.end();
  }

  get #pid(): number {
    return pidOf(this.#first + this.#thread);
  }

  #head(type: number): void {
    this.#bytes.fill(0);
    this.#view.setUint16(0, type, true);
    this.#view.setInt32(4, this.#pid, true);
  }

  #func(func: number): void {
    this.#view.setUint32(8, FIRST_FUNCTION + 16 * func, true);
    this.#view.setUint32(12, 0xffffffff, true);
  }

  #enter(open: { func: number; since: number }[]): void {
    // A function calls a few others only, as in a kernel.
    const above = open.at(-1)?.func ?? 0;
    const func = (above * 7 + 1 + this.#chance.below(4)) % FUNCTIONS;
    this.#head(ID.entry);
    this.#func(func);
    this.#view.setInt32(16, open.length, true);
    open.push({ func, since: this.now });
    this.#add(20);
  }

  #leave(open: { func: number; since: number }[]): void {
    const { func, since } = open.pop()!;
    this.#head(ID.exit);
    this.#func(func);
    this.#view.setInt32(16, open.length, true);
    this.#view.setBigUint64(24, START + BigInt(since), true);
    this.#view.setBigUint64(32, START + BigInt(this.now), true);
    this.#add(40);
  }

  #switch(): void {
    const next = this.#chance.below(THREADS / CPUS);
    this.#head(ID.switch);
    this.#name(8, this.#first + this.#thread);
    this.#view.setInt32(24, this.#pid, true);
    this.#view.setInt32(28, 120, true);
    this.#name(40, this.#first + next);
    this.#view.setInt32(56, pidOf(this.#first + next), true);
    this.#view.setInt32(60, 120, true);
    this.#add(64);
    this.#thread = next;
  }

  #syscall(): void {
    this.#reads = !this.#reads;
    this.#head(this.#reads ? ID.read : ID.wasRead);
    if (this.#reads) {
      this.#view.setUint32(16, this.#chance.below(64), true);
      this.#view.setUint32(24, this.#chance.below(60_000) * 4096, true);
      this.#view.setUint32(32, 4096, true);
      this.#add(40);
    } else {
      this.#view.setInt32(16, this.#chance.below(4096), true);
      this.#add(24);
    }
  }

  #name(at: number, thread: number): void {
    ENCODER.encodeInto(nameOf(thread), this.#bytes.subarray(at, at + 15));
  }

  #add(size: number): void {
    this.#pages.add(START, this.now, this.#bytes, 0, size);
  }
}

const ENCODER = new TextEncoder();

function pidOf(thread: number): number {
  return 1000 + thread;
}

function nameOf(thread: number): string {
  return `worker-${thread}`;
}

/**
 * Writes a file with so many events.
 *
 * @param version 7 is packed, 6 is not
 */
export function writeLongDat(
  events: number,
  version: 6 | 7,
  sink: ByteSink,
): void {
  const shape = { pageSize: PAGE, longSize: 8, little: true } as const;
  using spool = new DatSpool(PAGE, version === 7);
  const chance = new Chance();
  const cpus = Array.from(
    { length: CPUS },
    (_, cpu) =>
      new Cpu(
        cpu,
        new DatPagesWriter(shape, (page) => spool.add(cpuKey(0, cpu), page)),
        chance,
      ),
  );
  for (let i = 0; i < events; i++) cpus[i % CPUS].step();
  for (const cpu of cpus) cpu.end();
  spool.end();
  const lines = (count: number, line: (i: number) => string) =>
    ENCODER.encode(Array.from({ length: count }, (_, i) => line(i)).join(""));
  composeDat(
    {
      ...shape,
      version,
      formats: FORMATS.map(({ fields, ...event }) => ({
        system: event.system,
        text: formatFileText({
          ...event,
          fields: placed(fields),
          printFmt: '""',
        }),
      })),
      kallsyms: lines(
        FUNCTIONS,
        (i) =>
          `ffffffff${
            (FIRST_FUNCTION + 16 * i).toString(16)
          } t some_function_${i}\n`,
      ),
      printk: new Uint8Array(),
      cmdlines: lines(THREADS, (i) => `${pidOf(i)} ${nameOf(i)}\n`),
      clock: "[local] global",
      cpuCount: CPUS,
      uname: "Linux host 6.1.0 test",
      writer: "test",
      buffers: [""],
    },
    spool,
    sink,
  );
}

function placed(fields: readonly Declared[]) {
  let at = 8;
  return fields.map(([name, type, size]) => {
    const to = type.startsWith("char[") ? 1 : size;
    const offset = Math.ceil(at / to) * to;
    at = offset + size;
    const signed = /^(?:int|pid_t|long)$/.test(type);
    return { name, type, offset, size, signed };
  });
}
