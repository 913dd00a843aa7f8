/**
 * Combines function graph entries and returns into calls, for each task and
 * across CPUs: their callers, their depths, and what happened within them.
 *
 * @module
 */
import { type EventColumns, KIND } from "../ftrace/ring/columns.ts";
import type {
  CallArguments,
  CallColumns,
  EntryDetails,
  Inside,
} from "./fields/frame.ts";
import { beginCall } from "./rows.ts";
import type { FunctionSet } from "./function_set.ts";

/** Which calls to emit. */
export interface GraphCallOptions {
  /** The requested functions; undefined: all. */
  readonly functions: FunctionSet | undefined;
  /** Only within calls of these functions. */
  readonly under: FunctionSet | undefined;
  /**
   * Also emit the calls inside, down to this many levels; undefined: do not.
   */
  readonly depth: number | undefined;
  /** Whether to keep what happened within calls. */
  readonly inside: boolean;
  /**
   * Whether calls within others are only included in those, and not emitted.
   */
  readonly outermost: boolean;
  /**
   * Whether to report callers that are not among the requested functions. If
   * not, the result is the same as that of a guest that records only these
   * functions.
   */
  readonly callers: boolean;
  /**
   * The index of a function's system call (-1: none), for entries with
   * arguments.
   */
  readonly syscall?: (lo: number, hi: number) => number;
}

/** Where calls are written. */
interface Output {
  readonly columns: EventColumns;
  readonly calls: CallColumns;
}

/** More levels than the kernel's shadow stack has. */
const MAX_DEPTH = 512;

/**
 * Maximum number of calls kept of what happened within a call; later ones are
 * left out. A call that never returns would take ever more memory.
 */
const MOST_INSIDE = 1 << 20;

/** From this number of tasks on, those without open calls are forgotten. */
const MANY_TASKS = 1 << 14;

/**
 * Maximum number of tasks, some 450 MB. A guest can invent any number of them,
 * but hardly has half as many within traced functions.
 */
const MOST_TASKS = 1 << 16;

/** The open calls of a task, by depth. */
class Task {
  lo = new Uint32Array(64);
  hi = new Uint32Array(64);
  ts = new Float64Array(64);
  /** 1 if the entry at that depth was seen and has not returned. */
  open = new Uint8Array(64);
  /** Row of the record at which the content of the call starts. */
  record = new Int32Array(64);
  /** The address to which the function will return, if the entry states it. */
  caller = new Uint32Array(128);
  readonly args: (CallArguments | undefined)[] = [];
  /** The deepest open entry. */
  top = -1;
  /** Depth of the outermost requested function, or -1. */
  root = -1;
  /** Depth of the outermost `under` function, or -1. */
  under = -1;
  readonly inside = new Record();

  grow(depth: number): void {
    if (depth < this.lo.length) return;
    const n = Math.max(depth + 1, this.lo.length * 2);
    this.lo = copy(this.lo, new Uint32Array(n));
    this.hi = copy(this.hi, new Uint32Array(n));
    this.ts = copy(this.ts, new Float64Array(n));
    this.open = copy(this.open, new Uint8Array(n));
    this.record = copy(this.record, new Int32Array(n));
    this.caller = copy(this.caller, new Uint32Array(2 * n));
  }
}

function copy<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** What has happened so far within an outermost call. */
class Record {
  length = 0;
  func = new Uint32Array(32);
  depth = new Int32Array(16);
  ts = new Float64Array(16);
  duration = new Float64Array(16);

  push(lo: number, hi: number, depth: number, ts: number): number {
    if (this.length === this.depth.length) {
      const n = this.length * 2;
      this.func = copy(this.func, new Uint32Array(2 * n));
      this.depth = copy(this.depth, new Int32Array(n));
      this.ts = copy(this.ts, new Float64Array(n));
      this.duration = copy(this.duration, new Float64Array(n));
    }
    const at = this.length++;
    this.func[2 * at] = lo;
    this.func[2 * at + 1] = hi;
    this.depth[at] = depth;
    this.ts[at] = ts;
    this.duration[at] = NaN;
    return at;
  }

  /** A copy of the rows from `from` on, with depths relative to the first. */
  from(from: number): Inside {
    const base = this.depth[from];
    const depth = this.depth.slice(from, this.length);
    for (let i = 0; i < depth.length; i++) depth[i] -= base;
    return {
      length: this.length - from,
      func: this.func.slice(2 * from, 2 * this.length),
      depth,
      ts: this.ts.slice(from, this.length),
      duration: this.duration.slice(from, this.length),
    };
  }
}

/** Keeps the open calls of all tasks from batch to batch. */
export class GraphCalls {
  /** Number of calls that began before the first event and were left out. */
  begunBefore = 0;
  /** Number of calls left out because a call held too many. */
  cut = 0;
  readonly #options: GraphCallOptions;
  readonly #tasks = new Map<number, Task>();
  /** Number of tasks at which some are to be forgotten. */
  #room = MANY_TASKS;

  constructor(options: GraphCallOptions) {
    this.#options = options;
  }

  /**
   * Number of outermost calls of the requested functions that have not returned
   * yet.
   */
  get open(): number {
    let count = 0;
    for (const task of this.#tasks.values()) if (task.root >= 0) count++;
    return count;
  }

  /**
   * Takes rows in time order, and appends the calls that have ended.
   *
   * @param rows entries and returns; other rows are ignored
   */
  take(
    columns: EventColumns,
    rows: Uint32Array,
    n: number,
    out: Output,
    details?: EntryDetails,
  ): void {
    const { kind, depth, pid, cpu } = columns;
    if (details !== undefined) out.calls.comms = details.comms;
    let lastTask = NaN;
    let task: Task | undefined;
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      const is = kind[row];
      if (is === KIND.other) continue;
      // All idle tasks have pid 0, but there is one on each CPU.
      const id = pid[row] === 0 ? -1 - cpu[row] : pid[row];
      if (id !== lastTask || task === undefined) {
        task = this.#task(id);
        lastTask = id;
      }
      const at = depth[row];
      if (at < 0 || at >= MAX_DEPTH) continue;
      task.grow(at);
      if (is === KIND.return) this.#leave(task, columns, row, at, out, details);
      else this.#enter(task, columns, row, at, details);
    }
  }

  #task(id: number): Task {
    let task = this.#tasks.get(id);
    if (task === undefined) {
      if (this.#tasks.size >= this.#room) this.#forget();
      task = new Task();
      this.#tasks.set(id, task);
    }
    return task;
  }

  /** Forgets tasks without open calls, and the oldest if too many are left. */
  #forget(): void {
    const tasks = this.#tasks;
    for (const [id, task] of tasks) if (task.top < 0) tasks.delete(id);
    for (const id of tasks.keys()) {
      if (tasks.size <= MOST_TASKS / 2) break;
      tasks.delete(id);
    }
    this.#room = Math.max(MANY_TASKS, 2 * tasks.size);
  }

  /**
   * Whether a depth is within the requested levels below the outermost
   * function.
   */
  #shallow(task: Task, at: number): boolean {
    const { depth } = this.#options;
    return depth === undefined || at - task.root < depth;
  }

  #enter(
    task: Task,
    columns: EventColumns,
    row: number,
    at: number,
    details: EntryDetails | undefined,
  ): void {
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    close(task, at);
    for (let d = task.top + 1; d < at; d++) task.open[d] = 0;
    task.open[at] = 1;
    task.lo[at] = lo;
    task.hi[at] = hi;
    task.ts[at] = columns.ts[row];
    task.top = at;
    if (details !== undefined) {
      task.caller[2 * at] = details.caller[2 * row];
      task.caller[2 * at + 1] = details.caller[2 * row + 1];
      task.args[at] = details.args[row];
    }
    const { functions, under } = this.#options;
    if (task.under < 0 && under !== undefined && under.has(lo, hi)) {
      task.under = at;
    }
    const within = under === undefined || task.under >= 0;
    if (
      task.root < 0 && within &&
      (functions === undefined || functions.has(lo, hi))
    ) {
      task.root = at;
      task.inside.length = 0;
    }
    if (this.#options.inside && task.root >= 0 && this.#shallow(task, at)) {
      if (task.inside.length >= MOST_INSIDE) {
        task.record[at] = -1;
        this.cut++;
        return;
      }
      task.record[at] = task.inside.push(lo, hi, at, columns.ts[row]);
    }
  }

  #leave(
    task: Task,
    columns: EventColumns,
    row: number,
    at: number,
    out: Output,
    details: EntryDetails | undefined,
  ): void {
    const lo = columns.func[2 * row];
    const hi = columns.func[2 * row + 1];
    close(task, at + 1);
    const seen = task.top === at && task.open[at] === 1 &&
      task.lo[at] === lo && task.hi[at] === hi;
    // Some kernels do not report to the module how long a call took.
    if (seen && details !== undefined && columns.duration[row] === 0) {
      columns.duration[row] = columns.ts[row] - task.ts[at];
    }
    const { functions, depth, under, inside } = this.#options;
    const asked = functions === undefined || functions.has(lo, hi);
    const rooted = task.root >= 0 && task.root <= at;
    // The level is relative to the outermost requested function; a call whose
    // beginning was not seen is assumed to be that one.
    const level = rooted ? at - task.root : asked ? 0 : Infinity;
    const kept = task.record[at] >= 0;
    if (seen && inside && kept && rooted && this.#shallow(task, at)) {
      task.inside.duration[task.record[at]] = columns.duration[row];
    }
    const within = under === undefined ||
      (task.under >= 0 && task.under <= at);
    const deep = this.#options.outermost && level > 0;
    if (within && !deep && (depth === undefined ? asked : level < depth)) {
      if (!seen) this.begunBefore++;
      this.#emit(task, columns, row, at, seen, level, out);
      if (details !== undefined) this.#tell(task, row, at, seen, out, details);
    }
    if (seen || task.top >= at) {
      task.open[at] = 0;
      task.top = at - 1;
      if (task.root >= at) task.root = -1;
      if (task.under >= at) task.under = -1;
    }
  }

  #emit(
    task: Task,
    from: EventColumns,
    row: number,
    at: number,
    seen: boolean,
    level: number,
    out: Output,
  ): void {
    const { columns, calls } = out;
    const to = beginCall(columns, calls, from, row);
    columns.func[2 * to] = from.func[2 * row];
    columns.func[2 * to + 1] = from.func[2 * row + 1];
    columns.depth[to] = level === Infinity ? 0 : level;
    columns.duration[to] = from.duration[row];
    const visible = this.#options.callers ||
      (task.root >= 0 && at > task.root) ||
      (task.under >= 0 && at > task.under);
    const called = visible && at > 0 && task.top >= at - 1 &&
      task.open[at - 1] === 1;
    calls.caller[2 * to] = called ? task.lo[at - 1] : 0;
    calls.caller[2 * to + 1] = called ? task.hi[at - 1] : 0;
    calls.ret[to] = NaN;
    calls.call[to] = -1;
    calls.comm[to] = -1;
    calls.texts[to] = undefined;
    calls.inside[to] = this.#options.inside && seen && task.root >= 0 &&
        this.#shallow(task, at) && task.record[at] >= 0
      ? task.inside.from(task.record[at])
      : undefined;
  }

  /** Adds what the module's entry states about the call emitted last. */
  #tell(
    task: Task,
    row: number,
    at: number,
    seen: boolean,
    { columns, calls }: Output,
    details: EntryDetails,
  ): void {
    const to = columns.length - 1;
    calls.comm[to] = details.comm[row];
    if (!seen) return;
    calls.caller[2 * to] = task.caller[2 * at];
    calls.caller[2 * to + 1] = task.caller[2 * at + 1];
    const given = task.args[at];
    const call = given === undefined ? -1 : this.#options.syscall?.(
      columns.func[2 * to],
      columns.func[2 * to + 1],
    ) ?? -1;
    if (given === undefined || !given.complete || call < 0) return;
    calls.call[to] = call;
    calls.args.set(given.words, 12 * to);
    calls.texts[to] = given.texts;
  }
}

/**
 * Calls that are open at this depth or deeper have ended, but their returns
 * were lost.
 */
function close(task: Task, depth: number): void {
  if (task.top < depth) return;
  for (let d = depth; d <= task.top; d++) task.open[d] = 0;
  task.top = depth - 1;
  if (task.root >= depth) task.root = -1;
  if (task.under >= depth) task.under = -1;
}
