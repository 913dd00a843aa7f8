/**
 * Names and threads in the format `html`: numbered, and no more than a page can
 * show.
 *
 * @module
 */
import type { PageThreads } from "../page/data.ts";
import type { TraceSource } from "../writer.ts";
import { threadName } from "./call_names.ts";

/** Names of functions and events; a damaged trace may invent any number. */
const MOST_NAMES = 200_000;
/** Threads that are told apart. */
const MOST_THREADS = 20_000;
/** A name ends here. */
const LONGEST_NAME = 300;

/** Numbers names in the order in which they are met. */
export class PageNames {
  readonly list: string[] = [];
  /** For each name: see {@linkcode PageTrace.calls}. */
  readonly calls: string[] = [];
  readonly #index = new Map<string, number>();

  /**
   * The number of a name.
   *
   * @param call the system call that it enters (`+sys_openat`) or leaves
   */
  index(name: string, call = ""): number {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    const kept = this.list.length < MOST_NAMES
      ? name.slice(0, LONGEST_NAME)
      : "(other names)";
    const same = this.#index.get(kept);
    if (same !== undefined) return same;
    const index = this.list.length;
    this.list.push(kept);
    this.calls.push(call);
    this.#index.set(kept, index);
    return index;
  }

  /** Whether there were too many. */
  get full(): boolean {
    return this.list.length >= MOST_NAMES;
  }
}

/** A thread that occurs in a trace. */
interface Thread {
  readonly source: TraceSource;
  readonly guest: number;
  readonly pid: number;
  readonly cpu: number;
  name: string;
  tgid: number;
  events: number;
}

/** Numbers the threads of all guests. */
export class ThreadList {
  /** Whether there were too many. */
  full = false;
  readonly #guests = new Map<TraceSource, number>();
  readonly #index: Map<number, number>[] = [];
  readonly #all: Thread[] = [];

  constructor(sources: readonly TraceSource[]) {
    sources.forEach((source, guest) => {
      this.#guests.set(source, guest);
      this.#index.push(new Map());
    });
  }

  /** The number of a guest. */
  guestOf(source: TraceSource): number {
    return this.#guests.get(source) ?? 0;
  }

  /** The number of a thread; idle threads have pid 0, and one CPU each. */
  index(guest: number, source: TraceSource, pid: number, cpu: number): number {
    const key = pid === 0 ? -1 - cpu : pid;
    const known = this.#index[guest].get(key);
    if (known !== undefined) return known;
    if (this.#all.length >= MOST_THREADS) return this.#others(guest, source);
    const index = this.#all.length;
    this.#all.push({
      source,
      guest,
      pid,
      cpu: pid === 0 ? cpu : 0,
      name: threadName(source, pid, cpu),
      tgid: tgidOf(source, pid),
      events: 0,
    });
    this.#index[guest].set(key, index);
    return index;
  }

  /** Counts events of a thread. */
  count(index: number, events: number): void {
    this.#all[index].events += events;
  }

  /** The process of a thread, or the thread itself if that is not known. */
  processOf(index: number): number {
    const { source, guest, pid, tgid } = this.#all[index];
    return tgid === 0 || tgid === pid
      ? index
      : this.index(guest, source, tgid, 0);
  }

  /** The name of a thread: `bash-412`. */
  nameOf(index: number): string {
    return this.#all[index].name;
  }

  /** Reads names again, as the kernel may know them now. */
  refresh(): void {
    for (const thread of this.#all) {
      if (thread.pid <= 0) continue;
      const { source, pid } = thread;
      if (source.meta.comm(pid) !== undefined) {
        thread.name = threadName(source, pid, 0);
      }
      thread.tgid ||= tgidOf(source, pid);
    }
  }

  /** All threads, for the page. */
  page(): PageThreads {
    const all = this.#all;
    return {
      pid: all.map(({ pid }) => pid),
      tgid: all.map(({ tgid }) => tgid),
      cpu: all.map(({ cpu }) => cpu),
      guest: all.map(({ guest }) => guest),
      name: all.map(({ name }) => name.slice(0, LONGEST_NAME)),
      events: all.map(({ events }) => events),
    };
  }

  #others(guest: number, source: TraceSource): number {
    // No thread has this pid.
    const key = -(2 ** 31);
    const known = this.#index[guest].get(key);
    if (known !== undefined) return known;
    this.full = true;
    const index = this.#all.length;
    const name = "(other threads)";
    this.#all.push({
      source,
      guest,
      pid: -1,
      cpu: -1,
      name,
      tgid: 0,
      events: 0,
    });
    this.#index[guest].set(key, index);
    return index;
  }
}

function tgidOf({ meta }: TraceSource, pid: number): number {
  return pid > 0 ? meta.tgid(pid) : 0;
}
