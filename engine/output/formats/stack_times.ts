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
const MOST_STACKS = 500_000;

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
  #rootOf = new Map<OpenTask, number>();
  #parent: number[] = [];
  #func: number[] = [];
  #count: number[] = [];
  #self: number[] = [];
  /** Nodes by `parent * 2^22 + function`; tasks are negative parents. */
  #nodes = new Map<number, number>();
  #roots: OpenTask[] = [];

  /** @param most stacks kept before they are passed on */
  constructor(sink: StackSink, most: number = MOST_STACKS) {
    this.#sink = sink;
    this.#most = most;
  }

  entered(task: OpenTask): void {
    if (this.#func.length >= this.#most) this.flush();
    this.#mark(task, task.open - 1);
  }

  left(task: OpenTask, _ts: number, duration: number): void {
    if (!(duration >= 0)) return;
    const at = task.open - 1;
    const node = task.mark[at];
    this.#count[node]++;
    // What a damaged trace claims must not turn into negative times.
    this.#self[node] += Math.max(0, duration - task.inner[at]);
  }

  /** Takes rows of a run. */
  take(columns: EventColumns, from: number, to: number): void {
    this.calls.take(columns, from, to);
  }

  /** Passes on all stacks, and begins again with those that are open. */
  flush(): void {
    const functions: number[] = [];
    for (let node = 0; node < this.#func.length; node++) {
      if (this.#count[node] === 0) continue;
      functions.length = 0;
      let at = node;
      for (; at >= 0; at = this.#parent[at]) functions.push(this.#func[at]);
      const { pid, cpu } = this.#roots[-1 - at];
      this.#sink({
        pid,
        cpu,
        functions,
        calls: this.#count[node],
        self: this.#self[node],
      });
    }
    this.#parent = [];
    this.#func = [];
    this.#count = [];
    this.#self = [];
    this.#nodes = new Map();
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
    const key = parent * 4194304 + task.func[at];
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = this.#func.length;
      this.#nodes.set(key, node);
      this.#parent.push(parent);
      this.#func.push(task.func[at]);
      this.#count.push(0);
      this.#self.push(0);
    }
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
