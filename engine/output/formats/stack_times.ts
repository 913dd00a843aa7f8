/**
 * The time spent in each call stack: what profiles are made of.
 *
 * @module
 */
import {
  type CallVisitor,
  OpenCalls,
  type OpenTask,
} from "../../ftrace/graph/open_calls.ts";
import type { EventColumns } from "../../ftrace/ring/columns.ts";
import type { TraceSource } from "../writer.ts";
import { FunctionNames, threadName } from "./call_names.ts";

/** Different stacks kept at once; then they are passed on. */
const MOST_STACKS = 1 << 17;

/** One call stack of one task, and what happened in it alone. */
export interface StackTime {
  /** The task; `pid` and `cpu` identify it. */
  readonly pid: number;
  readonly cpu: number;
  /** Indices of the functions, the innermost first. */
  readonly functions: readonly number[];
  /** Calls of the innermost function. */
  readonly calls: number;
  /** ns in the innermost function, without the calls that it made. */
  readonly self: number;
}

/** Takes call stacks. */
export type StackSink = (stack: StackTime) => void;

/** Places for stacks at first. */
const FEW_STACKS = 4096;

/**
 * Stacks as nodes: a function below another stack, or below a task. Their memory
 * is used again after they were passed on, as a long trace has many times more
 * of them than are kept at once.
 */
class StackNodes {
  length = 0;
  /** The stack above; tasks are negative. */
  parent = new Int32Array(FEW_STACKS);
  func = new Int32Array(FEW_STACKS);
  count = new Float64Array(FEW_STACKS);
  self = new Float64Array(FEW_STACKS);
  /** Nodes, from 1 on, by a hash of parent and function; 0 is free. */
  #table = new Int32Array(2 * FEW_STACKS);

  /** The node of a function below a parent; a new one if there is none. */
  at(parent: number, func: number): number {
    let place = this.#place(parent, func);
    let node = this.#table[place] - 1;
    if (node >= 0) return node;
    if (this.length === this.parent.length) {
      this.#grow();
      place = this.#place(parent, func);
    }
    node = this.length++;
    this.#table[place] = node + 1;
    this.parent[node] = parent;
    this.func[node] = func;
    this.count[node] = 0;
    this.self[node] = 0;
    return node;
  }

  clear(): void {
    this.length = 0;
    this.#table.fill(0);
  }

  /** Where a node is in the table, or where it belongs. */
  #place(parent: number, func: number): number {
    const mask = this.#table.length - 1;
    let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(func, 0x85ebca6b);
    hash = Math.imul(hash ^ hash >>> 15, 0x2c1b3c6d);
    let place = (hash ^ hash >>> 13) & mask;
    for (;;) {
      const node = this.#table[place] - 1;
      if (
        node < 0 || (this.parent[node] === parent && this.func[node] === func)
      ) return place;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const room = 2 * this.parent.length;
    this.parent = grown(this.parent, new Int32Array(room));
    this.func = grown(this.func, new Int32Array(room));
    this.count = grown(this.count, new Float64Array(room));
    this.self = grown(this.self, new Float64Array(room));
    this.#table = new Int32Array(2 * room);
    for (let node = 0; node < this.length; node++) {
      this.#table[this.#place(this.parent[node], this.func[node])] = node + 1;
    }
  }
}

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/**
 * Sums up, for each task and call stack, the time that the guest measured. A
 * call counts if both its entry and its return were seen. A stack may be passed
 * on more than once, if there are many different ones; the parts add up.
 */
export class StackTimes implements CallVisitor {
  /** The calls from which it is made. */
  readonly calls: OpenCalls = new OpenCalls(this);
  readonly #sink: StackSink;
  readonly #most: number;
  readonly #nodes: StackNodes;
  #rootOf = new Map<OpenTask, number>();
  #roots: OpenTask[] = [];

  /** @param most stacks kept before they are passed on */
  constructor(sink: StackSink, most: number = MOST_STACKS) {
    this.#sink = sink;
    this.#most = most;
    this.#nodes = new StackNodes();
  }

  entered(task: OpenTask): void {
    if (this.#nodes.length >= this.#most) this.flush();
    this.#mark(task, task.open - 1);
  }

  left(task: OpenTask, _ts: number, duration: number): void {
    if (!(duration >= 0)) return;
    const at = task.open - 1;
    const node = task.mark[at];
    this.#nodes.count[node]++;
    // What a damaged trace claims must not turn into negative times.
    this.#nodes.self[node] += Math.max(0, duration - task.inner[at]);
  }

  /** Takes rows of a run. */
  take(columns: EventColumns, from: number, to: number): void {
    this.calls.take(columns, from, to);
  }

  /** Passes on all stacks, and begins again with those that are open. */
  flush(): void {
    const functions: number[] = [];
    const { length, parent, func, count, self } = this.#nodes;
    for (let node = 0; node < length; node++) {
      if (count[node] === 0) continue;
      functions.length = 0;
      let at = node;
      for (; at >= 0; at = parent[at]) functions.push(func[at]);
      const { pid, cpu } = this.#roots[-1 - at];
      this.#sink({
        pid,
        cpu,
        functions,
        calls: count[node],
        self: self[node],
      });
    }
    this.#nodes.clear();
    this.#roots = [];
    this.#rootOf = new Map();
    for (const task of this.calls.tasks) {
      // The innermost may be about to be marked: it is new then.
      for (let at = 0; at < task.open; at++) {
        if (task.mark[at] >= 0) this.#mark(task, at);
      }
    }
  }

  #mark(task: OpenTask, at: number): void {
    let parent = at > 0 ? task.mark[at - 1] : this.#rootOf.get(task);
    if (parent === undefined) {
      parent = -1 - this.#roots.length;
      this.#roots.push(task);
      this.#rootOf.set(task, parent);
    }
    const node = this.#nodes.at(parent, task.func[at]);
    task.mark[at] = node;
  }
}

/** The call stacks of one guest, and the names in them. */
export class GuestStacks {
  readonly times: StackTimes;
  readonly names: FunctionNames;
  readonly #source: TraceSource;

  /** @param sink takes stacks, and what they belong to */
  constructor(
    source: TraceSource,
    sink: (stack: StackTime, guest: GuestStacks) => void,
  ) {
    this.#source = source;
    this.times = new StackTimes((stack) => sink(stack, this));
    this.names = new FunctionNames(source, this.times.calls.functions);
  }

  /** The guest, as the user names it. */
  get target(): string {
    return this.#source.target ?? "-";
  }

  /** The name of a stack's thread. */
  thread({ pid, cpu }: StackTime): string {
    return threadName(this.#source, pid, cpu);
  }

  /** The GVA of the function with this index. */
  address(index: number): bigint {
    const { halves } = this.times.calls.functions;
    return BigInt(halves[2 * index + 1]) << 32n | BigInt(halves[2 * index]);
  }

  /**
   * Ends the trace, and passes on all stacks.
   *
   * @returns the number of calls that counted
   */
  end(): number {
    this.times.calls.end();
    this.times.flush();
    return this.times.calls.whole;
  }
}
