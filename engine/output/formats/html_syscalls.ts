/**
 * System calls in the format `html`: times, results and arguments, by process.
 *
 * @module
 */
import type { PageSyscalls, PageTimes } from "../page/data.ts";
import { Histogram } from "../page/histogram.ts";
import { pageTimes } from "./html_calls.ts";

/** Pairs of a process and a system call. */
const MOST_PAIRS = 20_000;
/** Different arguments of one pair that are told apart, and that are shown. */
const MOST_ARGS = 200;
const SHOWN_ARGS = 20;
/** Characters of arguments. */
const LONGEST_ARGS = 500;
/** Threads with a call that has not returned. */
const MOST_OPEN = 65_536;
/** The greatest error number (MAX_ERRNO in include/linux/err.h). */
const MOST_ERRNO = 4095;

/** A process's use of a system call. */
interface Pair {
  readonly thread: number;
  readonly name: number;
  calls: number;
  total: number;
  max: number;
  readonly errors: Map<number, number>;
  readonly args: Map<string, number>;
}

/** Sums up system calls, by the events of their entry and exit. */
export class SyscallSums {
  /** Calls of further processes. */
  leftOut = 0;
  readonly #pairs = new Map<number, Pair>();
  readonly #times = new Map<number, Histogram>();
  readonly #open = new Map<number, { name: number; ts: number; pair?: Pair }>();

  /** Whether there was none. */
  get empty(): boolean {
    return this.#pairs.size === 0;
  }

  /**
   * A call began.
   *
   * @param process the thread that stands for the process
   * @param name the call's name on the page
   * @param args its arguments as JSON
   */
  entered(
    thread: number,
    process: number,
    name: number,
    ts: number,
    args: string,
  ): void {
    const pair = this.#pair(process, name);
    if (pair !== undefined) {
      pair.calls++;
      const text = args.length > LONGEST_ARGS
        ? JSON.stringify(`${args.slice(0, LONGEST_ARGS)}...`)
        : args;
      const before = pair.args.get(text);
      if (before !== undefined || pair.args.size < MOST_ARGS) {
        pair.args.set(text, (before ?? 0) + 1);
      }
    } else this.leftOut++;
    if (this.#open.size >= MOST_OPEN) this.#open.clear();
    this.#open.set(thread, {
      name,
      ts,
      ...(pair === undefined ? {} : { pair }),
    });
  }

  /**
   * A call ended.
   *
   * @param result what it returned; NaN if unknown
   */
  left(thread: number, name: number, ts: number, result: number): void {
    const open = this.#open.get(thread);
    this.#open.delete(thread);
    if (open?.name !== name) return;
    this.#took(name, open.pair, Math.max(0, ts - open.ts));
    if (open.pair === undefined) return;
    if (result < 0 && result >= -MOST_ERRNO) {
      const { errors } = open.pair;
      errors.set(-result, (errors.get(-result) ?? 0) + 1);
    }
  }

  /** A call of which only the function was traced. */
  call(process: number, name: number, duration: number): void {
    const pair = this.#pair(process, name);
    if (pair !== undefined) pair.calls++;
    else this.leftOut++;
    this.#took(name, pair, duration);
  }

  /** Times of all system calls, for the page. */
  times(): PageTimes {
    return pageTimes([...this.#times].map(([name, own]) => ({ name, own })));
  }

  /** What each process used, for the page. */
  processes(): PageSyscalls[] {
    return [...this.#pairs.values()].map(({ errors, args, ...rest }) => ({
      ...rest,
      errors: [...errors].flat(),
      args: [...args].sort(([, a], [, b]) => b - a).slice(0, SHOWN_ARGS),
    }));
  }

  #took(name: number, pair: Pair | undefined, duration: number): void {
    let times = this.#times.get(name);
    if (times === undefined) {
      times = new Histogram();
      this.#times.set(name, times);
    }
    times.add(duration);
    if (pair === undefined) return;
    pair.total += duration;
    pair.max = Math.max(pair.max, duration);
    this.timed(pair.thread, name, duration);
  }

  /** Called with each call of a process that has ended. */
  protected timed(_process: number, _name: number, _duration: number): void {
    // Here, only the sums matter.
  }

  #pair(thread: number, name: number): Pair | undefined {
    const key = thread * 262144 + name;
    let pair = this.#pairs.get(key);
    if (pair === undefined && this.#pairs.size < MOST_PAIRS) {
      pair = {
        thread,
        name,
        calls: 0,
        total: 0,
        max: 0,
        errors: new Map(),
        args: new Map(),
      };
      this.#pairs.set(key, pair);
    }
    return pair;
  }
}
