/**
 * Turns verified entries of the guest's module into rows: each CPU's entries in
 * their order, passed on once no earlier entry of another CPU can follow.
 *
 * @module
 */
import {
  EventColumns,
  KIND as ROW,
  PageArena,
} from "../ftrace/ring/columns.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { CallArguments, EntryDetails, Frame } from "./fields/frame.ts";
import {
  ENTRY,
  ENTRY_FLAG,
  ENTRY_KIND,
  PATH_BYTES,
  PATH_PIECES,
  WORD,
} from "../seal/page/abi.ts";
import { PathText } from "../seal/page/path_text.ts";
import { appendRow } from "./rows.ts";

const TWO32 = 4294967296;
/** Number of rows for which there is room initially. */
const FIRST_ROWS = 4096;
/** Size of the arena, which stays empty. */
const ARENA_BYTES = 4096;
/** The low byte of `extra` in a piece that could not be read. */
const UNREADABLE = 0xff;
/** Number of arguments of a system call. */
const ARGUMENTS = 6;
/** Entries of other CPUs may be earlier than the first one seen. */
const SLACK = 1n << 32n;

/** Called with the name and process of a thread, as reported by the module. */
export type ThreadNamed = (pid: number, comm: string, tgid: number) => void;

/** Rows with what the module reports about them. */
class Rows {
  readonly columns: EventColumns;
  readonly details: EntryDetails;

  constructor(epoch: bigint, comms: readonly string[]) {
    this.columns = new EventColumns(epoch, FIRST_ROWS);
    this.details = {
      caller: new Uint32Array(2 * this.columns.capacity),
      comm: new Int32Array(this.columns.capacity),
      comms,
      args: [],
    };
  }

  /** Makes the details as long as the columns. */
  fit(): void {
    const { details, columns: { capacity } } = this;
    if (details.comm.length === capacity) return;
    const caller = new Uint32Array(2 * capacity);
    caller.set(details.caller);
    const comm = new Int32Array(capacity);
    comm.set(details.comm);
    details.caller = caller;
    details.comm = comm;
  }

  append(from: Rows, row: number): void {
    const at = appendRow(this.columns, from.columns, row);
    this.fit();
    const { details } = this;
    details.caller[2 * at] = from.details.caller[2 * row];
    details.caller[2 * at + 1] = from.details.caller[2 * row + 1];
    details.comm[at] = from.details.comm[row];
    details.args[at] = from.details.args[row];
  }

  clear(): void {
    this.columns.clear();
    this.details.args.length = 0;
  }
}

/** A path of which not all pieces have been received. */
interface PartOfPath {
  readonly text: PathText;
  pieces: number;
}

/** Collects entries and passes them on as frames. */
export class ModuleEntries {
  readonly #kernel: Kernel;
  readonly #take: (frame: Frame) => void;
  readonly #named: ThreadNamed;
  readonly #arena = new PageArena(ARENA_BYTES, 1);
  readonly #comms: string[] = [];
  readonly #commIds = new Map<string, number>();
  /** The index of each thread's name, as reported last by the module. */
  readonly #commOf = new Map<number, number>();
  /** Arguments of each CPU's latest entry. */
  readonly #args: (CallArguments | undefined)[] = [];
  /** The path of each CPU's latest entry that is being received. */
  readonly #paths: (PartOfPath | undefined)[] = [];
  /** The sequence number of each CPU's latest entry, its low half. */
  readonly #sequences: number[] = [];
  readonly #callers = new Map<number, [lo: number, hi: number]>();
  #waiting: Rows | undefined;
  #next: Rows | undefined;
  #ready: Rows | undefined;
  #newest = -Infinity;

  constructor(
    kernel: Kernel,
    take: (frame: Frame) => void,
    named: ThreadNamed,
  ) {
    this.#kernel = kernel;
    this.#take = take;
    this.#named = named;
  }

  /** The latest time of all entries so far, in ns since the rows' epoch. */
  get newest(): number {
    return this.#newest;
  }

  /**
   * Adds a verified entry; the entries of a CPU must be added in their order.
   */
  add(cpu: number, words: Int32Array, at: number): void {
    const sequence = words[at + ENTRY.sequence / 4];
    // A call's entries follow one another. After a gap, arguments and paths may
    // be those of another call, whose own entry was lost.
    if (sequence !== ((this.#sequences[cpu] + 1) | 0)) {
      this.#args[cpu] = undefined;
      this.#paths[cpu] = undefined;
    }
    this.#sequences[cpu] = sequence;
    const shape = words[at + WORD.shape];
    const kind = (shape >>> 16) & 0xff;
    switch (kind) {
      case ENTRY_KIND.entry:
      case ENTRY_KIND.return:
        return this.#row(cpu, words, at, shape);
      case ENTRY_KIND.comm:
        return this.#comm(words, at);
      case ENTRY_KIND.arguments:
        return this.#arguments(cpu, words, at);
      case ENTRY_KIND.path:
        return this.#path(cpu, words, at);
      default:
        this.#time(words, at);
    }
  }

  #rows(words: Int32Array, at: number): Rows {
    if (this.#waiting === undefined) {
      const first = BigInt(words[at + WORD.time + 1] >>> 0) << 32n |
        BigInt(words[at + WORD.time] >>> 0);
      const epoch = first > SLACK ? first - SLACK : 0n;
      this.#waiting = new Rows(epoch, this.#comms);
      this.#next = new Rows(epoch, this.#comms);
      this.#ready = new Rows(epoch, this.#comms);
    }
    return this.#waiting;
  }

  #time(words: Int32Array, at: number): number {
    const { columns } = this.#rows(words, at);
    const time = columns.sinceEpoch(
      words[at + WORD.time] >>> 0,
      words[at + WORD.time + 1] >>> 0,
    );
    if (time > this.#newest) this.#newest = time;
    return time;
  }

  #row(cpu: number, words: Int32Array, at: number, shape: number): void {
    const time = this.#time(words, at);
    const rows = this.#rows(words, at);
    const { columns, details } = rows;
    columns.reserve(1);
    rows.fit();
    const to = columns.length++;
    const entry = ((shape >>> 16) & 0xff) === ENTRY_KIND.entry;
    const pid = words[at + WORD.pid];
    columns.ts[to] = time;
    columns.cpu[to] = cpu;
    columns.type[to] = 0;
    columns.pid[to] = pid;
    columns.offset[to] = 0;
    columns.size[to] = 0;
    columns.kind[to] = entry ? ROW.entry : ROW.return;
    columns.func[2 * to] = words[at + WORD.func];
    columns.func[2 * to + 1] = words[at + WORD.func + 1];
    columns.depth[to] = shape & 0xffff;
    columns.duration[to] = entry
      ? 0
      : (words[at + WORD.argument + 1] >>> 0) * TWO32 +
        (words[at + WORD.argument] >>> 0);
    const [lo, hi] = this.#function(
      words[at + WORD.caller] >>> 0,
      words[at + WORD.caller + 1] >>> 0,
    );
    details.caller[2 * to] = lo;
    details.caller[2 * to + 1] = hi;
    details.comm[to] = this.#commOf.get(pid) ?? -1;
    const root = ((shape >>> 24) & ENTRY_FLAG.root) !== 0;
    let args: CallArguments | undefined;
    if (entry && root && words[at + WORD.extra] !== 0) {
      args = { words: new Uint32Array(12), texts: [], complete: false };
      args.words[0] = words[at + WORD.argument];
      args.words[1] = words[at + WORD.argument + 1];
    }
    details.args[to] = args;
    this.#args[cpu] = args;
    this.#paths[cpu] = undefined;
  }

  /** The function that contains a return address, or the address itself. */
  #function(lo: number, hi: number): [lo: number, hi: number] {
    const key = (hi & 0x1fffff) * TWO32 + lo;
    let found = this.#callers.get(key);
    if (found === undefined) {
      const address = BigInt(hi) << 32n | BigInt(lo);
      // The return address minus 1 is looked up, since the call of a function
      // that never returns may be the last instruction of its caller.
      const symbol = address === 0n
        ? undefined
        : this.#kernel.symbols.lookup(address - 1n);
      const start = symbol?.address ?? address;
      found = [Number(start & 0xffffffffn), Number(start >> 32n)];
      this.#callers.set(key, found);
    }
    return found;
  }

  /** Discards the cached callers, since modules may be loaded or unloaded. */
  refresh(): void {
    this.#callers.clear();
  }

  #comm(words: Int32Array, at: number): void {
    this.#time(words, at);
    const comm = text(words, at + WORD.func, 16);
    let id = this.#commIds.get(comm);
    if (id === undefined) {
      id = this.#comms.push(comm) - 1;
      this.#commIds.set(comm, id);
    }
    const pid = words[at + WORD.pid];
    this.#commOf.set(pid, id);
    this.#named(pid, comm, words[at + WORD.argument]);
  }

  #arguments(cpu: number, words: Int32Array, at: number): void {
    const args = this.#args[cpu];
    if (args === undefined) return;
    for (let i = 0; i < 8; i++) args.words[2 + i] = words[at + WORD.time + i];
    args.words[10] = words[at + WORD.pid];
    args.words[11] = words[at + WORD.extra];
    args.complete = true;
  }

  #path(cpu: number, words: Int32Array, at: number): void {
    const texts = this.#args[cpu]?.texts;
    if (texts === undefined) return;
    const extra = words[at + WORD.extra];
    const index = extra >>> 8;
    const piece = extra & 0xff;
    const path = piece === 0
      ? { text: new PathText(), pieces: 0 }
      : this.#paths[cpu];
    this.#paths[cpu] = undefined;
    // A path that lacks a piece would be a different path.
    if (
      path === undefined || path.pieces !== piece || piece === UNREADABLE ||
      index >= ARGUMENTS
    ) return;
    const bytes = bytesOf(words, at + WORD.time, PATH_BYTES);
    path.text.add(bytes);
    path.pieces++;
    if (bytes.includes(0) || path.pieces === PATH_PIECES) {
      texts[index] = path.text.text;
    } else this.#paths[cpu] = path;
  }

  /**
   * Passes on the rows up to a time; Infinity: all rows.
   *
   * @param until in ns since the rows' epoch; no earlier row may be added later
   */
  flush(until: number): void {
    const { columns } = this.#waiting ?? {};
    const ready = this.#ready;
    const next = this.#next;
    if (
      columns === undefined || ready === undefined || next === undefined ||
      this.#waiting === undefined || columns.length === 0
    ) return;
    ready.clear();
    next.clear();
    const held = new Set<number>();
    for (let row = 0; row < columns.length; row++) {
      const cpu = columns.cpu[row];
      // The rows of a CPU must stay in their order.
      if (columns.ts[row] > until || held.has(cpu)) {
        held.add(cpu);
        next.append(this.#waiting, row);
      } else ready.append(this.#waiting, row);
    }
    this.#next = this.#waiting;
    this.#waiting = next;
    if (ready.columns.length === 0) return;
    this.#take({
      columns: ready.columns,
      arena: this.#arena,
      details: ready.details,
      ordered: false,
    });
  }
}

const DECODER = new TextDecoder();

function bytesOf(words: Int32Array, at: number, size: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset + 4 * at, size);
}

/** A text that ends with a NUL, or after `size` bytes. */
function text(words: Int32Array, at: number, size: number): string {
  const bytes = bytesOf(words, at, size);
  const end = bytes.indexOf(0);
  return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
