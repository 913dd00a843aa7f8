/**
 * What a live view shows at one moment.
 *
 * @module
 */
import type { PageNames, ThreadList } from "../formats/html_names.ts";
import { type Histogram, percentile } from "../page/histogram.ts";
import { CallGraph } from "./call_graph.ts";
import type { RecentCalls } from "./recent.ts";
import type {
  EventCount,
  RecentFunctions,
  RecentSyscalls,
} from "./recent_sums.ts";

/** Calls of a function, or of a system call by a process. */
export interface TopCalls {
  /** What tells it from the others. */
  readonly key: string;
  readonly name: string;
  readonly calls: number;
  /** Calls a second in the last interval. */
  readonly rate: number;
  /** Time of all calls, in ns, without what is within another of the same. */
  readonly total: number;
  /** Time a second in the last interval, as a share of one CPU. */
  readonly share: number;
  /** The longest call, in ns. */
  readonly max: number;
  /** The longest call of each of the last intervals, in ns, the newest last. */
  readonly longest: readonly number[];
}

/** Calls of a function. */
export interface TopFunction extends TopCalls {
  /** The number of its name, for {@linkcode CallGraph}. */
  readonly id: number;
  /** Time without what it called, in ns. */
  readonly self: number;
  /** The duration that half of the calls do not exceed, in ns. */
  readonly p50: number;
  /** The duration that 99 % of the calls do not exceed, in ns. */
  readonly p99: number;
  /** Whether it is, or is called by, what is not the kernel's own code. */
  readonly foreign: boolean;
}

/** A process's use of a system call. */
export interface TopSyscall extends TopCalls {
  /** `bash-412`. */
  readonly process: string;
  /** Error numbers, and how often each was returned. */
  readonly errors: ReadonlyMap<number, number>;
}

/** Events of a type. */
export interface TopEvent {
  readonly key: string;
  readonly name: string;
  readonly calls: number;
  /** Events a second in the last interval. */
  readonly rate: number;
}

/** Everything at one moment. */
export interface TopSnapshot {
  /** Events in all, also of calls. */
  readonly count: number;
  readonly functions: readonly TopFunction[];
  readonly syscalls: readonly TopSyscall[];
  readonly events: readonly TopEvent[];
  /** The longest call of each of the last intervals, in ns, the newest last. */
  readonly longest: readonly number[];
  /** Number of lost events, by CPU. */
  readonly lost: ReadonlyMap<number, number>;
  /** Number of calls of, or from, foreign code. */
  readonly foreign: number;
  /** What is left out because it would be too much, as sentences. */
  readonly leftOut: readonly string[];
  /** Who calls whom. */
  readonly graph: Pick<CallGraph, "calleesOf">;
  /** The name with this number. */
  nameOf(id: number): string;
}

/** What a snapshot is made of. */
export interface Sums {
  /** The number of the last whole interval; -1 before the first one. */
  readonly interval: number;
  readonly intervalMs: number;
  readonly count: number;
  readonly names: PageNames;
  readonly threads: ThreadList;
  readonly functions: RecentFunctions;
  readonly syscalls: RecentSyscalls;
  readonly events: ReadonlyMap<number, EventCount>;
  readonly lost: ReadonlyMap<number, number>;
}

/** Copies what sums hold, as it goes on to change. */
export function snapshotOf(sums: Sums): TopSnapshot {
  const { functions, names, threads } = sums;
  const foreign = functions.foreignCalls();
  const { parent, name, calls, total, self } = functions.tree();
  const tree = {
    parent: parent.slice(),
    name: name.slice(),
    calls: calls.slice(),
    total: total.slice(),
    self: self.slice(),
  };
  const foreignNames = new Set(foreign.map(({ node }) => name[node]));
  let graph: CallGraph | undefined;
  const list = names.list.slice();
  return {
    count: sums.count,
    functions: [...functions.functions].map(([id, { own, self }]) => ({
      ...callsOf(`f${id}`, list[id], own, functions.recent.get(id), sums),
      id,
      self,
      ...percentilesOf(own),
      foreign: foreignNames.has(id),
    })),
    syscalls: sums.syscalls.processes().map(
      ({ thread, name, errors, ...own }) => {
        const key = `${thread} ${name}`;
        const recent = sums.syscalls.recent.get(key);
        return {
          ...callsOf(
            `s${key}`,
            list[name],
            { ...own, count: own.calls },
            recent,
            sums,
          ),
          process: threads.nameOf(thread),
          errors: pairs(errors),
        };
      },
    ),
    events: [...sums.events].map(([name, { calls, recent }]) => ({
      key: `e${name}`,
      name: list[name],
      calls,
      rate: inInterval(recent, sums).rate,
    })),
    longest: sums.interval < 0 ? [] : functions.all.longest(sums.interval),
    lost: new Map(sums.lost),
    foreign: foreign.reduce((sum, { calls }) => sum + calls, 0),
    leftOut: leftOut(sums),
    get graph() {
      return graph ??= new CallGraph(tree);
    },
    nameOf: (id) => list[id],
  };
}

function callsOf(
  key: string,
  name: string,
  { count, total, max }: Pick<Histogram, "count" | "total" | "max">,
  recent: RecentCalls | undefined,
  sums: Sums,
): TopCalls {
  return {
    key,
    name,
    calls: count,
    total,
    max,
    ...inInterval(recent, sums),
    longest: recent === undefined || sums.interval < 0
      ? []
      : recent.longest(sums.interval),
  };
}

/** What was in the last whole interval. */
function inInterval(
  recent: RecentCalls | undefined,
  { interval, intervalMs }: Sums,
): Pick<TopCalls, "rate" | "share"> {
  if (recent === undefined || interval < 0 || intervalMs <= 0) {
    return { rate: 0, share: 0 };
  }
  const { calls, time } = recent.of(interval);
  return { rate: 1000 * calls / intervalMs, share: time / (1e6 * intervalMs) };
}

function percentilesOf(own: Histogram): { p50: number; p99: number } {
  const pairs = own.pairs();
  return {
    p50: percentile(pairs, 0.5, own.max),
    p99: percentile(pairs, 0.99, own.max),
  };
}

/** A list of keys and values, one after the other, as a map. */
function pairs(list: readonly number[]): Map<number, number> {
  const map = new Map<number, number>();
  for (let i = 0; i < list.length; i += 2) map.set(list[i], list[i + 1]);
  return map;
}

function leftOut({ functions, syscalls, threads, names }: Sums): string[] {
  const said: string[] = [];
  if (functions.leftOut > 0) {
    said.push("too many call stacks: some are left out");
  }
  if (syscalls.leftOut > 0) said.push("too many processes: some are left out");
  if (threads.full) said.push("too many threads: the last ones are one");
  if (names.full) said.push("too many names: the last ones are one");
  return said;
}
