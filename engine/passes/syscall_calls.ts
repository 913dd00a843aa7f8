/**
 * Combines the enter and exit events of system calls into calls.
 *
 * @module
 */
import type { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import { argumentKind } from "../ftrace/events/field_kinds.ts";
import { type EventRows, textAt, wordAt } from "../ftrace/ring/field_values.ts";
import type { CallColumns } from "./fields/frame.ts";
import { beginCall } from "./rows.ts";
import type { SyscallTarget } from "../query/program.ts";

/**
 * Offset in an entry of the first argument, or of the return value
 * (trace_syscalls.c).
 */
const VALUES = 16;

/**
 * Reads a string from a process's own memory; `undefined` if that is
 * impossible.
 */
export type UserString = (
  pid: number,
  lo: number,
  hi: number,
) => string | undefined;

/**
 * The string that an enter event holds, as it was at the time of the call;
 * `undefined` if there is none, because the kernel could not read it.
 */
function recordedText(
  rows: EventRows,
  row: number,
  at: number,
): string | undefined {
  if (wordAt(rows, row, at) >>> 16 === 0) return undefined;
  return textAt(rows, row, {
    name: "",
    type: "__data_loc char[]",
    offset: at,
    size: 4,
    signed: false,
  });
}

/** A call that has not returned. */
interface Open {
  call: number;
  ts: number;
  readonly args: Uint32Array;
  texts: (string | undefined)[] | undefined;
}

/** Keeps the open system calls of all threads from batch to batch. */
export class SyscallCalls {
  readonly #calls: readonly SyscallTarget[];
  readonly #enter = new Map<number, number>();
  readonly #exit = new Map<number, number>();
  readonly #open = new Map<number, Open>();
  readonly #text: readonly (readonly boolean[])[];
  readonly #userString: UserString | undefined;

  /**
   * @param userString reads string arguments that the events do not hold;
   *   without it, they are left out
   */
  constructor(
    calls: readonly SyscallTarget[],
    userString: UserString | undefined,
  ) {
    this.#calls = calls;
    this.#userString = userString;
    this.#text = calls.map((call) =>
      call.args.map((arg, i) => argumentKind(arg, call.types[i]) === "text")
    );
    calls.forEach((call, i) => {
      this.#enter.set(call.enter, i);
      this.#exit.set(call.exit, i);
    });
  }

  /** Number of calls that have not returned yet. */
  get open(): number {
    let count = 0;
    for (const open of this.#open.values()) if (open.call >= 0) count++;
    return count;
  }

  /** Whether events of this type belong to the calls. */
  asks(type: number): boolean {
    return this.#enter.has(type) || this.#exit.has(type);
  }

  /** Takes rows in time order, and appends the calls that have ended. */
  take(
    columns: EventColumns,
    arena: PageArena,
    rows: Uint32Array,
    n: number,
    out: { readonly columns: EventColumns; readonly calls: CallColumns },
  ): void {
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      const type = columns.type[row];
      const entered = this.#enter.get(type);
      if (entered !== undefined) {
        this.#begin(entered, columns, arena, row);
        continue;
      }
      const left = this.#exit.get(type);
      if (left !== undefined) this.#end(left, columns, arena, row, out);
    }
  }

  #begin(
    call: number,
    columns: EventColumns,
    arena: PageArena,
    row: number,
  ): void {
    const pid = columns.pid[row];
    let open = this.#open.get(pid);
    if (open === undefined) {
      open = { call, ts: 0, args: new Uint32Array(12), texts: undefined };
      this.#open.set(pid, open);
    }
    open.call = call;
    open.ts = columns.ts[row];
    open.texts = undefined;
    const { args } = open;
    const count = this.#calls[call].args.length;
    const at = (columns.offset[row] + VALUES) >>> 2;
    const room = (columns.size[row] - VALUES) >> 2;
    for (let i = 0; i < 12; i++) {
      args[i] = i < 2 * count && i < room ? arena.words[at + i] : 0;
    }
    const read = this.#userString;
    const text = this.#text[call];
    const { strings } = this.#calls[call];
    for (let i = 0; i < count; i++) {
      if (!text[i]) continue;
      const at = strings?.find(({ arg }) => arg === i)?.at;
      const recorded = at === undefined
        ? undefined
        : recordedText({ columns, arena }, row, at);
      if (recorded === undefined && read === undefined) continue;
      open.texts ??= [];
      open.texts[i] = recorded ??
        read?.(pid, args[2 * i], args[2 * i + 1]);
    }
  }

  #end(
    call: number,
    from: EventColumns,
    arena: PageArena,
    row: number,
    out: { readonly columns: EventColumns; readonly calls: CallColumns },
  ): void {
    const open = this.#open.get(from.pid[row]);
    if (open === undefined || open.call !== call) return;
    const { columns, calls } = out;
    const to = beginCall(columns, calls, from, row);
    const address = this.#calls[call].addresses[0] ?? 0n;
    columns.func[2 * to] = Number(address & 0xffffffffn);
    columns.func[2 * to + 1] = Number(address >> 32n);
    columns.depth[to] = 0;
    columns.duration[to] = from.ts[row] - open.ts;
    calls.caller[2 * to] = 0;
    calls.caller[2 * to + 1] = 0;
    calls.args.set(open.args, 12 * to);
    calls.call[to] = call;
    calls.comm[to] = -1;
    calls.texts[to] = open.texts;
    calls.inside[to] = undefined;
    const at = (from.offset[row] + VALUES) >>> 2;
    calls.ret[to] = from.size[row] >= VALUES + 8
      ? (arena.words[at + 1] | 0) * 4294967296 + arena.words[at]
      : NaN;
    open.call = -1;
  }
}
