/**
 * The calls of each task, as they are entered and left, for what writes call
 * stacks: profiles and slices on a time line.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { AddressMap } from "../../memory/address_map.ts";
import { type EventColumns, KIND } from "../ring/columns.ts";

/** Tasks at which those without open calls are forgotten. */
const MANY_TASKS = 65_536;
/** Frames kept of one task: a kernel stack has no room for as many. */
const MOST_FRAMES = 512;
/** Functions of one trace; kernels have a fifth of that. */
const MOST_FUNCTIONS = 1 << 20;

/** The open calls of one task, the outermost first. */
export class OpenTask {
  /** The pid; 0 for an idle task. */
  readonly pid: number;
  /** The CPU on which it was seen first; of an idle task, its own. */
  readonly cpu: number;
  /** Number of open calls. */
  open = 0;
  /** For each open call: the function's index in {@linkcode FunctionList}. */
  readonly func: number[] = [];
  /** For each open call: its depth. */
  readonly depth: number[] = [];
  /** For each open call: what the visitor keeps about it. */
  readonly mark: number[] = [];
  /** For each open call: the time that its ended calls took, in ns. */
  readonly inner: number[] = [];

  constructor(pid: number, cpu: number) {
    this.pid = pid;
    this.cpu = cpu;
  }
}

/** The functions of a trace, numbered in the order in which they were met. */
export class FunctionList {
  /** The GVAs, as low and high half of each. */
  readonly halves: number[] = [];
  readonly #index = new AddressMap<number>();

  /** Number of functions. */
  get length(): number {
    return this.halves.length / 2;
  }

  /**
   * The index of the function at a GVA.
   *
   * @throws {KernelError} when there are more than a kernel has.
   */
  indexOf(lo: number, hi: number): number {
    let index = this.#index.get(lo, hi);
    if (index === undefined) {
      index = this.length;
      if (index >= MOST_FUNCTIONS) {
        throw new KernelError(
          `the trace claims calls of more than ${MOST_FUNCTIONS} functions: it is damaged`,
        );
      }
      this.halves.push(lo, hi);
      this.#index.set(lo, hi, index);
    }
    return index;
  }
}

/** What is told about each call. */
export interface CallVisitor {
  /**
   * A call began; it is the innermost open one of its task.
   *
   * @param ts ns since the columns' epoch
   * @param row its entry
   */
  entered(task: OpenTask, ts: number, columns: EventColumns, row: number): void;
  /**
   * The innermost open call of a task has ended, and is still among the open
   * ones.
   *
   * @param ts ns since the columns' epoch
   * @param duration ns that it took, as the guest measured; NaN if its return
   * is missing
   */
  left(task: OpenTask, ts: number, duration: number): void;
}

/** Follows entries and returns in time order, and tells a visitor of calls. */
export class OpenCalls {
  /** The functions that were called. */
  readonly functions = new FunctionList();
  /** Calls whose entry and return were both seen. */
  whole = 0;
  /** Calls whose return was not seen. */
  cut = 0;
  /** Returns of calls whose entry was not seen. */
  begunBefore = 0;
  /** Events that are no calls. */
  others = 0;
  readonly #visitor: CallVisitor;
  readonly #tasks = new Map<number, OpenTask>();
  #room = MANY_TASKS;
  #last = 0;

  constructor(visitor: CallVisitor) {
    this.#visitor = visitor;
  }

  /** The tasks that had calls, unless they were forgotten. */
  get tasks(): Iterable<OpenTask> {
    return this.#tasks.values();
  }

  /** The task that a row belongs to. */
  taskOf({ pid, cpu }: EventColumns, row: number): OpenTask {
    // All idle tasks have pid 0, but there is one on each CPU.
    const id = pid[row] === 0 ? -1 - cpu[row] : pid[row];
    let task = this.#tasks.get(id);
    if (task === undefined) {
      if (this.#tasks.size >= this.#room) this.#forget();
      task = new OpenTask(pid[row], cpu[row]);
      this.#tasks.set(id, task);
    }
    return task;
  }

  /** Takes rows `from` to `to - 1`; those that are no calls are ignored. */
  take(columns: EventColumns, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      if (columns.kind[row] === KIND.other) {
        this.others++;
        continue;
      }
      const task = this.taskOf(columns, row);
      this.#last = columns.ts[row];
      if (columns.kind[row] === KIND.return) this.#return(task, columns, row);
      else this.#enter(task, columns, row);
    }
  }

  /** Ends the calls that are still open, at the time of the last call. */
  end(): void {
    for (const task of this.#tasks.values()) this.#close(task, 0);
  }

  #enter(task: OpenTask, columns: EventColumns, row: number): void {
    const { func, depth, ts } = columns;
    this.#closeBelow(task, depth[row]);
    if (task.open >= MOST_FRAMES) return;
    const at = task.open++;
    task.func[at] = this.functions.indexOf(func[2 * row], func[2 * row + 1]);
    task.depth[at] = depth[row];
    task.mark[at] = -1;
    task.inner[at] = 0;
    this.#visitor.entered(task, ts[row], columns, row);
  }

  #return(task: OpenTask, columns: EventColumns, row: number): void {
    const { func, depth, ts, duration } = columns;
    this.#closeBelow(task, depth[row] + 1);
    const at = task.open - 1;
    if (at < 0 || task.depth[at] !== depth[row]) {
      this.begunBefore++;
      return;
    }
    const same = task.func[at] ===
      this.functions.indexOf(func[2 * row], func[2 * row + 1]);
    if (!same) this.begunBefore++;
    this.#leave(task, ts[row], same ? duration[row] : NaN);
  }

  /** Ends calls at this depth or deeper: their returns are missing. */
  #closeBelow(task: OpenTask, depth: number): void {
    let keep = task.open;
    while (keep > 0 && task.depth[keep - 1] >= depth) keep--;
    this.#close(task, keep);
  }

  #close(task: OpenTask, keep: number): void {
    while (task.open > keep) this.#leave(task, this.#last, NaN);
  }

  #leave(task: OpenTask, ts: number, duration: number): void {
    if (duration === duration) this.whole++;
    else this.cut++;
    this.#visitor.left(task, ts, duration);
    const at = --task.open;
    if (at === 0) return;
    task.inner[at - 1] += duration === duration ? duration : task.inner[at];
  }

  /** Forgets tasks without open calls, and the oldest if too many are left. */
  #forget(): void {
    for (const [id, task] of this.#tasks) {
      if (task.open === 0) this.#tasks.delete(id);
    }
    for (const [id, task] of this.#tasks) {
      if (this.#tasks.size <= MANY_TASKS / 2) break;
      this.#close(task, 0);
      this.#tasks.delete(id);
    }
    this.#room = Math.max(MANY_TASKS, 2 * this.#tasks.size);
  }
}
