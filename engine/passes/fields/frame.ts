/**
 * The data that passes exchange: rows of events as columns, and for calls that
 * were combined from several events, the content of those events.
 *
 * @module
 */
import { EventColumns, type PageArena } from "../../ftrace/ring/columns.ts";

/**
 * What happened within a call, in the order of entry; row 0 is the call itself.
 */
export interface Inside {
  readonly length: number;
  /** Functions, low and high halves. */
  readonly func: Uint32Array;
  /** Depth relative to the call. */
  readonly depth: Int32Array;
  /** Time of entry in ns since the columns' epoch. */
  readonly ts: Float64Array;
  /** In ns; NaN if the return was not seen. */
  readonly duration: Float64Array;
}

/** The arguments of a system call at its entry. */
export interface CallArguments {
  /** Low and high halves of all six arguments. */
  readonly words: Uint32Array;
  /** Texts to which arguments point, by the arguments' indices. */
  readonly texts: (string | undefined)[];
  /** Whether all six are known, and not only the first one. */
  complete: boolean;
}

/** What the guest's module reports about rows, in addition to the columns. */
export interface EntryDetails {
  /** The function to which each call returns: low and high halves. */
  caller: Uint32Array<ArrayBuffer>;
  /** Index into `comms` of the thread's name. */
  comm: Int32Array<ArrayBuffer>;
  /** Names of threads. */
  readonly comms: readonly string[];
  /** Arguments of system calls. */
  args: (CallArguments | undefined)[];
}

/**
 * Columns for calls in addition to {@linkcode EventColumns}: one row for each
 * call.
 */
export class CallColumns {
  /** The calling function, low and high half; 0 if it is not known. */
  caller: Uint32Array<ArrayBuffer>;
  /** Arguments, low and high halves of six for each row. */
  args: Uint32Array<ArrayBuffer>;
  /** The return value; NaN if it is not known. */
  ret: Float64Array<ArrayBuffer>;
  /** Index of the system call; -1 for other functions. */
  call: Int16Array<ArrayBuffer>;
  /**
   * Index into `comms` of the thread's name; -1 if it must be looked up in the
   * guest's tables.
   */
  comm: Int32Array<ArrayBuffer>;
  /** The names to which `comm` refers. */
  comms: readonly string[] = [];
  /** What happened within the calls, if a sink needs it. */
  readonly inside: (Inside | undefined)[] = [];
  /** Texts of string arguments, if they could be read. */
  readonly texts: (readonly (string | undefined)[] | undefined)[] = [];

  constructor(capacity: number) {
    this.caller = new Uint32Array(2 * capacity);
    this.args = new Uint32Array(12 * capacity);
    this.ret = new Float64Array(capacity);
    this.call = new Int16Array(capacity);
    this.comm = new Int32Array(capacity);
  }

  /** Makes room for a total of `rows` rows. */
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

  /** Removes all rows, but keeps the memory. */
  clear(): void {
    this.inside.length = 0;
    this.texts.length = 0;
  }
}

/** Rows of events, or of calls. */
export interface Frame {
  readonly columns: EventColumns;
  /** Contains the rows' payloads; not used for calls. */
  readonly arena: PageArena;
  /** Set if the rows are calls. */
  readonly calls?: CallColumns;
  /** Set if the rows come from the guest's module. */
  readonly details?: EntryDetails;
  /** Whether the rows are already in time order. */
  readonly ordered: boolean;
}

/** A frame of calls without rows. */
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
