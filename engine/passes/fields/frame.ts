/**
 * What passes hand on: rows of events as columns, and for calls that were put
 * together from several events, what these said.
 *
 * @module
 */
import { EventColumns, type PageArena } from "../../ftrace/ring/columns.ts";

/** What happened inside one call, in the order of entry; row 0 is the call. */
export interface Inside {
  readonly length: number;
  /** Functions, low and high halves. */
  readonly func: Uint32Array;
  /** Depth below the call. */
  readonly depth: Int32Array;
  /** Time of entry in ns since the columns' epoch. */
  readonly ts: Float64Array;
  /** In ns; NaN where the return was not seen. */
  readonly duration: Float64Array;
}

/** A system call's arguments as its entry had them. */
export interface CallArguments {
  /** Low and high halves of all six. */
  readonly words: Uint32Array;
  /** Texts that arguments point to, by the arguments' places. */
  readonly texts: (string | undefined)[];
}

/** What the guest's module says of a row besides the columns. */
export interface EntryDetails {
  /** Where the function returns to: low and high halves. */
  caller: Uint32Array<ArrayBuffer>;
  /** Which of the names below the thread has. */
  comm: Int32Array<ArrayBuffer>;
  /** Names of threads. */
  readonly comms: readonly string[];
  /** Arguments of system calls. */
  args: (CallArguments | undefined)[];
}

/** Columns of calls besides {@linkcode EventColumns}: one row per call. */
export class CallColumns {
  /** The calling function, low and high half; 0 where it is not known. */
  caller: Uint32Array<ArrayBuffer>;
  /** Arguments, low and high halves, six a row. */
  args: Uint32Array<ArrayBuffer>;
  /** The return value; NaN where it is not known. */
  ret: Float64Array<ArrayBuffer>;
  /** Which system call: an index; -1 for other functions. */
  call: Int16Array<ArrayBuffer>;
  /** The thread's name: an index; -1 where the guest's tables know it. */
  comm: Int32Array<ArrayBuffer>;
  /** What `comm` counts. */
  comms: readonly string[] = [];
  /** What happened inside, where a sink asks for it. */
  readonly inside: (Inside | undefined)[] = [];
  /** Texts of string arguments, where they could be read. */
  readonly texts: (readonly (string | undefined)[] | undefined)[] = [];

  constructor(capacity: number) {
    this.caller = new Uint32Array(2 * capacity);
    this.args = new Uint32Array(12 * capacity);
    this.ret = new Float64Array(capacity);
    this.call = new Int16Array(capacity);
    this.comm = new Int32Array(capacity);
  }

  /** Makes room for `rows` rows. */
  reserve(rows: number): void {
    if (rows <= this.ret.length) return;
    const n = Math.max(rows, this.ret.length * 2);
    const caller = new Uint32Array(2 * n);
    caller.set(this.caller);
    const args = new Uint32Array(12 * n);
    args.set(this.args);
    const ret = new Float64Array(n);
    ret.set(this.ret);
    const call = new Int16Array(n);
    call.set(this.call);
    const comm = new Int32Array(n);
    comm.set(this.comm);
    this.caller = caller;
    this.args = args;
    this.ret = ret;
    this.call = call;
    this.comm = comm;
  }

  /** Forgets what rows held; keeps the memory. */
  clear(): void {
    this.inside.length = 0;
    this.texts.length = 0;
  }
}

/** Rows of events, or of calls. */
export interface Frame {
  readonly columns: EventColumns;
  /** Where the rows' payloads lie; of no meaning for calls. */
  readonly arena: PageArena;
  /** Set when the rows are calls. */
  readonly calls?: CallColumns;
  /** Set when the rows come from the guest's module. */
  readonly details?: EntryDetails;
  /** Whether rows are in time order already. */
  readonly ordered: boolean;
}

/** An empty frame of calls. */
export function callFrame(
  epoch: bigint,
  arena: PageArena,
): Frame & { readonly calls: CallColumns } {
  return {
    columns: new EventColumns(epoch, 1024),
    arena,
    calls: new CallColumns(1024),
    ordered: true,
  };
}
