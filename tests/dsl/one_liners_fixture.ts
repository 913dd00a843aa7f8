/**
 * The lessons of docs/one_liners.md: the document is written from these, and
 * the tests run them.
 *
 * @module
 */

/** One lesson. */
export interface Lesson {
  /** What it teaches. */
  readonly title: string;
  /** What to know about it, in a few sentences. */
  readonly text: string;
  /** The one-liner. */
  readonly code: string;
  /** Whether the plan is shown instead of the result. */
  readonly dryRun?: boolean;
}

/** All lessons, in their order. */
export const LESSONS: readonly Lesson[] = [
  {
    title: "Count",
    text:
      "`trace()` takes functions and gives an event for each call, when it returns. " +
      "A sink ends the trace: `count()` counts events, by as many fields as you like.",
    code: "trace(sys_openat).count(comm)",
  },
  {
    title: "Print",
    text: "`print()` prints a line for each event. `until()` ends the trace: " +
      "after so many events, after a time, at an event.",
    code: "trace(sys_openat).until(5).print()",
  },
  {
    title: "Filter",
    text:
      "Conditions are made of fields. Durations have units; `and`, `or` and `not()` join conditions.",
    code:
      'trace(sys_openat).filter(duration.gt("10us").and(comm.glob("l*").not())).print()',
  },
  {
    title: "Filter with a function",
    text:
      "Whatever conditions cannot say, a function can. It runs on the host for each event that the conditions leave.",
    code:
      "trace(sys_openat).filter((e) => e.comm.length === 2 && e.ret >= 3).count(comm, ret)",
  },
  {
    title: "Draw how long it takes",
    text:
      "`hist()` draws a histogram with buckets of powers of two; `lhist()` one with equal steps.",
    code: "trace(sys_read).hist(duration)",
  },
  {
    title: "Numbers",
    text: "`stats()` gives count, mean, least, greatest and sum, by group.",
    code: 'trace("vfs_read", "path_openat").stats(duration, func)',
  },
  {
    title: "The slowest",
    text: "`top(n)` keeps the events with the greatest values of a field.",
    code: 'trace(fn("vfs_*")).top(3)',
  },
  {
    title: "See inside",
    text:
      "`graph()` draws each call with what it called, and how long that took.",
    code: "trace(sys_openat).until(1).graph()",
  },
  {
    title: "Who calls it",
    text:
      "`caller` is the function that called. `under()` keeps what happens within calls of another function.",
    code: 'trace("kmem_cache_alloc*").under(sys_openat).count(func, caller)',
  },
  {
    title: "Trace events",
    text:
      "`event()` takes the kernel's trace events by name or glob; their fields are named as the kernel names them.",
    code: 'event("sched:sched_switch").count("prev_comm", "next_comm")',
  },
  {
    title: "Processes and their children",
    text:
      "`process()` is a condition on who runs, by pid or by a glob over commands.",
    code: 'syscalls().filter(process("ls").withChildren()).count(func)',
  },
  {
    title: "Read the plan first",
    text:
      "`--dry-run` prints what would be done, and writes nothing: what the guest is told (on a live guest), what is left to the host and why, and how it is undone.",
    code: 'trace(sys_open).filter(duration.gt("100us")).until("5s").print()',
    dryRun: true,
  },
];
