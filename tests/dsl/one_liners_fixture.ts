/**
 * The lessons of docs/one_liners.md, from which the page is generated. The tests
 * run them.
 *
 * @module
 */

/** One lesson. */
export interface Lesson {
  /** What it teaches. */
  readonly title: string;
  /** The explanation, in a few sentences. */
  readonly text: string;
  /** The one-liner. */
  readonly code: string;
  /** Whether the plan is shown instead of the result. */
  readonly dryRun?: boolean;
}

/** All lessons, in the page's order. */
export const LESSONS: readonly Lesson[] = [
  {
    title: "Count",
    text:
      "`trace()` takes functions, and gives one event for each call when it returns. " +
      "A trace ends with a sink: `count()` counts events, by as many fields as you like.",
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
      "Conditions are made from fields. Durations have units. `and`, `or` and `not()` combine conditions.",
    code:
      'trace(sys_openat).filter(duration.gt("10us").and(comm.glob("l*").not())).print()',
  },
  {
    title: "Filter with a function",
    text:
      "If conditions are not enough, use a function. It runs on the host, for each event that passes the conditions.",
    code:
      "trace(sys_openat).filter((e) => e.comm.length === 2 && e.ret >= 3).count(comm, ret)",
  },
  {
    title: "Draw how long it takes",
    text:
      "`hist()` draws a histogram whose buckets are powers of two; `lhist()` draws one with equal steps.",
    code: "trace(sys_read).hist(duration)",
  },
  {
    title: "Numbers",
    text:
      "`stats()` gives the count, mean, minimum, maximum and sum for each group.",
    code: 'trace("vfs_read", "path_openat").stats(duration, func)',
  },
  {
    title: "The slowest",
    text: "`top(n)` keeps the `n` events with the largest values of a field, " +
      "by default of `duration`.",
    code: 'trace(fn("vfs_*")).top(3)',
  },
  {
    title: "See inside",
    text:
      "`graph()` draws each call with the functions that it called, and how long they took.",
    code: "trace(sys_openat).until(1).graph()",
  },
  {
    title: "Who calls it",
    text:
      "`caller` is the calling function. `under()` keeps only what happens within calls of another function.",
    code: 'trace("kmem_cache_alloc*").under(sys_openat).count(func, caller)',
  },
  {
    title: "Trace events",
    text:
      "`event()` takes the kernel's trace events, by name or glob. Their fields have the names that the kernel gives them.",
    code: 'event("sched:sched_switch").count("prev_comm", "next_comm")',
  },
  {
    title: "Processes and their children",
    text:
      "`process()` is a condition on the running process, by its pid or by a glob for its command. " +
      "`withChildren()` adds all that it starts.",
    code: 'syscalls().filter(process("ls").withChildren()).count(func)',
  },
  {
    title: "Read the plan first",
    text:
      "`--dry-run` prints what would be done, and writes nothing: what the guest is told (if it is live), how that is undone, and what is left to the host, and why.",
    code: 'trace(sys_open).filter(duration.gt("100us")).until("5s").print()',
    dryRun: true,
  },
];
