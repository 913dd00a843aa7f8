/**
 * Pages for the tests in a browser: of a trace with foreign calls and hostile
 * names, and of a trace of a million events.
 *
 * @module
 */
import {
  EventColumns,
  KIND,
  PageArena,
} from "../../engine/ftrace/ring/columns.ts";
import type { EventFormat } from "../../engine/ftrace/events/formats.ts";
import { LAYOUT_6_1 } from "../../engine/ftrace/ring/layout_fixture.ts";
import { formatNamed } from "../../engine/output/formats.ts";
import { writeBuffers } from "../../engine/output/write_buffers.ts";
import { BARE_GUEST, BARE_META } from "../../engine/output/writer_fixture.ts";

/** A name of a thread that would be a script, an escape and a line end. */
export const HOSTILE = `</script><script>pwned=1</script>"'\x1b[31m\u2028<b>`;

/** Names of functions, by their address. */
const NAMES = [
  "x64_sys_call",
  "__x64_sys_openat",
  "do_sys_openat2",
  "getname_flags",
  "do_filp_open",
  "path_openat",
  "link_path_walk",
  "ext4_file_open [ext4]",
  "kmem_cache_alloc",
  "hook_openat [rootkit]",
  "0xffffffffc0de0000",
];

/** What a call does: the function, and the calls in it. */
type Call = readonly [func: number, ...calls: Call[]];

const OPEN: Call = [1, [2, [3, [8]], [4, [5, [6, [8]], [7], [8]]]]];
const HOOKED: Call = [9, [10], OPEN];

const SWITCH = 300;
const OPENAT = 301;
const OPENAT_EXIT = 302;

function field(name: string, type: string, offset: number, size: number) {
  return { name, type, offset, size, signed: type === "long" };
}

const FORMATS = new Map<number, EventFormat>([
  [SWITCH, {
    id: SWITCH,
    system: "sched",
    name: "sched_switch",
    fields: [
      field("next_comm", "char[16]", 8, 16),
      field("next_pid", "pid_t", 24, 4),
    ],
    printFmt: "",
  }],
  [OPENAT, {
    id: OPENAT,
    system: "syscalls",
    name: "sys_enter_openat",
    fields: [
      field("__syscall_nr", "int", 8, 4),
      field("flags", "int", 16, 8),
    ],
    printFmt: "",
    syscall: {
      name: "sys_openat",
      exit: false,
      args: ["flags"],
      types: ["int"],
    },
  }],
  [OPENAT_EXIT, {
    id: OPENAT_EXIT,
    system: "syscalls",
    name: "sys_exit_openat",
    fields: [
      field("__syscall_nr", "int", 8, 4),
      field("ret", "long", 16, 8),
    ],
    printFmt: "",
    syscall: { name: "sys_openat", exit: true, args: [], types: [] },
  }],
]);

/** Collects rows in time order. */
class Rows {
  readonly columns = new EventColumns(1_000_000_000n, 1 << 16);
  readonly arena = new PageArena(64);
  ts = 0;
  #seed = 1;
  #slots = new Map<string, number>();

  event(type: number, cpu: number, pid: number, bytes: Uint8Array): void {
    const key = `${type} ${bytes}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.arena.acquire();
      this.arena.bytes.set(bytes, slot + 8);
      this.#slots.set(key, slot);
    }
    const row = this.#row(cpu, pid);
    const { columns } = this;
    columns.type[row] = type;
    columns.offset[row] = slot;
    columns.size[row] = 32;
  }

  call(cpu: number, pid: number, [func, ...calls]: Call, depth = 0): void {
    const begun = this.ts;
    const entry = this.#row(cpu, pid);
    this.#function(entry, KIND.entry, func, depth);
    for (const each of calls) this.call(cpu, pid, each, depth + 1);
    this.ts += this.#some(2000);
    const row = this.#row(cpu, pid);
    this.#function(row, KIND.return, func, depth);
    this.columns.duration[row] = this.ts - begun;
  }

  /** Numbers that do not repeat, and are the same each time. */
  #some(most: number): number {
    this.#seed = (Math.imul(this.#seed, 1103515245) + 12345) >>> 0;
    return (this.#seed >>> 8) % most;
  }

  #row(cpu: number, pid: number): number {
    const { columns } = this;
    columns.reserve(1);
    const row = columns.length++;
    this.ts += 40 + this.#some(60);
    columns.ts[row] = this.ts;
    columns.cpu[row] = cpu;
    columns.pid[row] = pid;
    return row;
  }

  #function(row: number, kind: number, func: number, depth: number): void {
    const { columns } = this;
    columns.kind[row] = kind;
    columns.func[2 * row] = func;
    columns.func[2 * row + 1] = 0xffffffff;
    columns.depth[row] = depth;
  }
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setInt32(4 * i, value, true));
  return bytes;
}

function next(comm: string, pid: number): Uint8Array {
  const bytes = words(0, 0, 0, 0, pid);
  bytes.set(new TextEncoder().encode(comm).subarray(0, 16));
  return bytes;
}

/** A page, and how many events the trace has. */
export interface MadePage {
  readonly html: string;
  readonly events: number;
}

/**
 * The page of a made-up trace: threads on four CPUs open files; one is called
 * {@linkcode HOSTILE}, and some of its calls are hooked.
 *
 * @param events at least so many
 * @param threads how many threads take turns
 */
export function madePage(events: number, threads: number): MadePage {
  const rows = new Rows();
  const { columns, arena } = rows;
  for (let turn = 0; columns.length < events; turn++) {
    const pid = 100 + turn % threads;
    const cpu = turn % 4;
    rows.event(SWITCH, cpu, pid, next(`thread ${pid}`, pid));
    rows.event(OPENAT, cpu, pid, words(257, 0, turn % 1000));
    const hooked = pid === 100 && turn % 5 === 0;
    rows.call(cpu, pid, [0, hooked ? HOOKED : OPEN]);
    const result = turn % 7 === 0 ? -2 : 3;
    rows.event(
      OPENAT_EXIT,
      cpu,
      pid,
      words(257, 0, result, result < 0 ? -1 : 0),
    );
  }
  columns.lost.push({ row: columns.length >> 1, cpu: 0, count: 12 });
  let html = "";
  writeBuffers(
    { columns, arena, cpus: [] },
    {
      ...BARE_GUEST,
      target: `core:${HOSTILE}`,
      meta: {
        ...BARE_META,
        layout: LAYOUT_6_1,
        tracer: "function_graph",
        onlineCpus: 4,
        nrCpuIds: 4,
        symbols: { ...BARE_META.symbols, ps: (lo) => NAMES[lo] ?? "0x0" },
        comm: (pid) => pid === 100 ? HOSTILE : `worker/${pid % 10}`,
        tgid: (pid) => pid - pid % 2,
        format: (type) => FORMATS.get(type),
      },
    },
    formatNamed("html").writer((chunk) => {
      if (typeof chunk === "string") html += chunk;
    }),
  );
  return { html, events: columns.length };
}
