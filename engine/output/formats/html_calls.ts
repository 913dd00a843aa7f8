/**
 * Calls of functions in the format `html`: call stacks with their times, times
 * of functions, and calls of foreign code.
 *
 * @module
 */
import {
  type CallVisitor,
  OpenCalls,
  type OpenTask,
} from "../../ftrace/graph/open_calls.ts";
import { type EventColumns, KIND } from "../../ftrace/ring/columns.ts";
import { type EventRows, wordAt } from "../../ftrace/ring/field_values.ts";
import type { PageForeign, PageTimes, PageTree } from "../page/data.ts";
import { Histogram } from "../page/histogram.ts";
import type { EventRun, TraceSource } from "../writer.ts";
import { FunctionNames } from "./call_names.ts";
import type { PageNames, ThreadList } from "./html_names.ts";
import { recordedNames } from "../text/environment.ts";

/** Different call stacks. */
const MOST_NODES = 100_000;
/** Functions of which durations are kept. */
const MOST_FUNCTIONS = 20_000;
/** Different foreign calls. */
const MOST_FOREIGN = 1000;

/** Call stacks and functions of all guests; names are those of the page. */
export class CallSums {
  /** Calls of stacks that were not kept any more, or of functions. */
  leftOut = 0;
  readonly functions = new Map<number, { own: Histogram; self: number }>();
  readonly #names: PageNames;
  readonly #parent: number[] = [];
  readonly #name: number[] = [];
  readonly #calls: number[] = [];
  readonly #total: number[] = [];
  readonly #self: number[] = [];
  readonly #nodes = new Map<number, number>();
  readonly #foreign = new Map<
    string,
    { -readonly [K in keyof PageForeign]: PageForeign[K] }
  >();

  constructor(names: PageNames) {
    this.#names = names;
  }

  /**
   * The stack of a function called by that of another node.
   *
   * @param parent the node, or -1 less the index of a thread
   * @returns -1 if there are too many.
   */
  node(parent: number, name: number): number {
    const key = parent * 262144 + name;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = this.#name.length;
    if (node >= MOST_NODES) return -1;
    this.#nodes.set(key, node);
    this.#parent.push(parent);
    this.#name.push(name);
    this.#calls.push(0);
    this.#total.push(0);
    this.#self.push(0);
    return node;
  }

  /** Adds a call of a node; `outermost` unless it is within one of its name. */
  add(
    node: number,
    name: number,
    duration: number,
    self: number,
    outermost: boolean,
  ): void {
    if (node >= 0) {
      this.#calls[node]++;
      this.#total[node] += duration;
      this.#self[node] += self;
    } else this.leftOut++;
    let times = this.functions.get(name);
    if (times === undefined) {
      if (this.functions.size >= MOST_FUNCTIONS) return;
      times = { own: new Histogram(), self: 0 };
      this.functions.set(name, times);
    }
    times.own.add(duration);
    if (!outermost) times.own.total -= duration;
    times.self += self;
  }

  /** Counts a foreign call. */
  foreign(node: number, caller: string, why: string): void {
    const key = `${node} ${caller} ${why}`;
    const known = this.#foreign.get(key);
    if (known !== undefined) known.calls++;
    else if (this.#foreign.size < MOST_FOREIGN) {
      this.#foreign.set(key, { node, caller, why, calls: 1 });
    }
  }

  /** All call stacks, for the page. */
  tree(): PageTree {
    return {
      parent: this.#parent,
      name: this.#name,
      calls: this.#calls,
      total: this.#total,
      self: this.#self,
    };
  }

  /** Times of all functions, for the page. */
  times(): PageTimes {
    return pageTimes(
      [...this.functions].map(([name, { own, self }]) => ({ name, own, self })),
    );
  }

  /**
   * Calls of foreign code. If no function of the trace has a name, then the
   * names are not known, and nothing is foreign.
   */
  foreignCalls(): PageForeign[] {
    const named = this.#name.some((name) => !isUnknown(this.#names.list[name]));
    return named ? [...this.#foreign.values()] : [];
  }
}

/** Times as the page has them. */
export function pageTimes(
  all: readonly { name: number; own: Histogram; self?: number }[],
): PageTimes {
  return {
    name: all.map(({ name }) => name),
    calls: all.map(({ own }) => own.count),
    total: all.map(({ own }) => own.total),
    self: all.flatMap(({ self }) => self === undefined ? [] : [self]),
    min: all.map(({ own }) => own.min),
    max: all.map(({ own }) => own.max),
    histogram: all.map(({ own }) => own.pairs()),
  };
}

/** Whether a function lies in no known code: its name is its address. */
function isUnknown(name: string): boolean {
  return name.startsWith("0x");
}

/** Whether a function is a module's: `f [module]`. */
function isModules(name: string): boolean {
  return name.endsWith("]");
}

/** The calls of one guest. */
export class GuestCalls implements CallVisitor {
  readonly calls: OpenCalls = new OpenCalls(this);
  readonly #source: TraceSource;
  readonly #guest: number;
  readonly #sums: CallSums;
  readonly #names: PageNames;
  readonly #threads: ThreadList;
  readonly #functions: FunctionNames;
  /** The page's names of functions, by their indices in the trace. */
  readonly #page: number[] = [];
  readonly #dispatchers: ReadonlySet<string>;
  #rows: EventRows | undefined;
  /** Called with system calls: their functions. */
  readonly #syscall: (
    thread: number,
    name: number,
    duration: number,
  ) => void;

  constructor(
    source: TraceSource,
    sums: CallSums,
    names: PageNames,
    threads: ThreadList,
    syscall: (thread: number, name: number, duration: number) => void,
  ) {
    this.#source = source;
    this.#guest = threads.guestOf(source);
    this.#sums = sums;
    this.#names = names;
    this.#threads = threads;
    this.#syscall = syscall;
    this.#functions = new FunctionNames(source, this.calls.functions);
    this.#dispatchers = new Set(source.meta.arch.syscalls.dispatchers);
  }

  /** Takes rows of a run. */
  take(run: EventRun, from: number, to: number): void {
    this.#rows = run;
    this.calls.take(run.columns, from, to);
  }

  /** The page's name of a row's function. */
  nameOf({ func }: EventColumns, row: number): number {
    return this.#name(
      this.calls.functions.indexOf(func[2 * row], func[2 * row + 1]),
    );
  }

  entered(
    task: OpenTask,
    _ts: number,
    columns: EventColumns,
    row: number,
  ): void {
    const at = task.open - 1;
    const name = this.#name(task.func[at]);
    const above = at > 0 ? task.mark[at - 1] : -1 - this.#thread(task);
    // A node that was not kept has no nodes below it.
    const node = at > 0 && above < 0 ? -1 : this.#sums.node(above, name);
    task.mark[at] = node;
    if (node < 0) return;
    const caller = this.#recordedCaller(columns, row);
    this.#judge(
      node,
      this.#names.list[name],
      at > 0 ? this.#names.list[this.#name(task.func[at - 1])] : undefined,
      caller,
    );
  }

  left(task: OpenTask, _ts: number, duration: number): void {
    if (!(duration >= 0)) return;
    const at = task.open - 1;
    const func = task.func[at];
    let outermost = true;
    for (let i = 0; i < at; i++) if (task.func[i] === func) outermost = false;
    const name = this.#name(func);
    // What a damaged trace claims must not turn into negative times.
    const self = Math.max(0, duration - task.inner[at]);
    this.#sums.add(task.mark[at], name, duration, self, outermost);
    if (this.#names.calls[name] !== "") {
      this.#syscall(this.#thread(task), name, duration);
    }
  }

  /** Marks calls of, or from, what is not the kernel's own code. */
  #judge(
    node: number,
    name: string,
    above: string | undefined,
    recorded: string | undefined,
  ): void {
    const by = recorded ?? above;
    if (isUnknown(name)) {
      this.#sums.foreign(node, by ?? "", "a function in no known code");
    } else if (recorded !== undefined && isUnknown(recorded)) {
      this.#sums.foreign(node, recorded, "called from no known code");
    }
    if (by === undefined) return;
    if (
      isModules(by) && this.#source.meta.arch.syscalls.names.isSyscall(name)
    ) {
      this.#sums.foreign(node, by, "a system call that a module calls");
    }
    const [caller] = by.split("+");
    if (isModules(name) && this.#dispatchers.has(caller)) {
      // A function in between may not have been traced, unless the caller was.
      this.#sums.foreign(
        node,
        by,
        recorded === undefined
          ? "a module below the dispatcher of system calls, with no system call traced in between"
          : "a module in place of a system call",
      );
    }
  }

  /** The caller, if the trace has return addresses. */
  #recordedCaller(columns: EventColumns, row: number): string | undefined {
    const { retaddr } = this.#source.meta.layout.graphEntry;
    const rows = this.#rows;
    if (columns.kind[row] !== KIND.entryRetaddr || retaddr < 0) {
      return undefined;
    }
    if (rows === undefined) return undefined;
    const lo = wordAt(rows, row, retaddr);
    const hi = wordAt(rows, row, retaddr + 4);
    return lo === 0 && hi === 0
      ? undefined
      : recordedNames(this.#source.meta).ps(lo, hi);
  }

  #thread({ pid, cpu }: OpenTask): number {
    return this.#threads.index(this.#guest, this.#source, pid, cpu);
  }

  #name(func: number): number {
    const known = this.#page[func];
    if (known !== undefined) return known;
    const name = this.#functions.at(func);
    const { names } = this.#source.meta.arch.syscalls;
    const call = names.short(name);
    return this.#page[func] = this.#names.index(
      name,
      call === name ? "" : `+${call}`,
    );
  }
}
